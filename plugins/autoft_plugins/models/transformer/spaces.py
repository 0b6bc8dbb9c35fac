"""Search spaces by the size of the source and of the data."""

from __future__ import annotations

from autoft.interfaces.problem import Problem
from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform, Value
from autoft_plugins.models.classes import is_uneven
from autoft_plugins.models.transformer.anatomy import Anatomy
from autoft_plugins.models.transformer.objectives import SEQ2SEQ, SEQUENCE_HEADS
from autoft_plugins.models.transformer.portfolio import portfolio
from autoft_plugins.models.transformer.structure import lowest
from autoft_plugins.tasks.entities import TAGS

_BALANCE = {
    "single_label_classification": Choice(("none", "weights", "oversample", "focal")),
    "multi_label_classification": Choice(("none", "weights", "focal")),
}

# (parameters of the body up to, lowest, default, highest learning rate)
_RATES = (
    (3e6, 2e-4, 1e-3, 3e-3),
    (4e7, 4e-5, 1.5e-4, 4e-4),
    (1.5e8, 1.5e-5, 5e-5, 1.5e-4),
    (float("inf"), 5e-6, 2e-5, 6e-5),
)
_WRITING = 4.0
"""How much higher the rates are of models that write texts: 1e-4 to 3e-4 for a small T5."""
_LARGE = 4e7
_SHARES = {False: (0.0, 1 / 3, 0.5), True: (0.0, 0.5, 0.75)}
"""Of the layers of a source, by whether it is large, those that may be left as they were."""
_LEFT = ((1_000, 0.5), (5_000, 0.75), (float("inf"), 0.0))
"""(rows up to, share) of what a large source leaves of them by default: measured with some hundred and some thousand rows, see
docs/benchmarks.md, "A part of a large source"."""
_NEXT = {0.5: (0.75, 0.0), 0.75: (0.5, 0.0), 0.0: (0.5,)}
"""What it tries beside that."""
_FROZEN_RATE = 2.0
"""How much higher the rate of the layers that are tuned is where the others are not."""
# (rows up to, fewest, default, most epochs)
_EPOCHS = ((1_000, 2, 4, 8), (5_000, 2, 3, 5), (20_000, 1, 2, 4), (float("inf"), 1, 1, 3))
# (rows up to, fewest, default, most epochs) of comparing them: with 616 rows of 77 classes 2 were better than 4
_CONTRASTIVE_EPOCHS = ((100, 5, 10, 20), (500, 2, 5, 10), (2_000, 1, 2, 5), (float("inf"), 1, 1, 3))
_COMPARING = 0.5
"""How much lower the rates are of comparing texts."""


def epochs_for(rows: int, body: int) -> tuple[int, int, int]:
    """Fewest, default and most epochs for so many rows and a body of so many parameters; large ones learn in fewer."""
    low, default, high = next((low, default, high) for most, low, default, high in _EPOCHS if rows <= most)
    return (low, max(low, default - 1), max(low, high - 2)) if body > _LARGE else (low, default, high)


def _rates(body: int) -> tuple[float, float, float]:
    return next((low, rate, high) for most, low, rate, high in _RATES if body <= most)


def _leaves_layers(problem: Problem) -> bool:
    """What two texts are to one another, or each of many words, a source never read before: that is no matter of its upper layers alone."""
    return len(problem.inputs) == 1 and problem.head.kind in SEQUENCE_HEADS


def depths_left(shape: Anatomy, problem: Problem) -> tuple[int, ...]:
    """How many of the lowest layers `full_space` may leave as they are, none left out."""
    if not shape.freezes or not _leaves_layers(problem):
        return ()
    return tuple(sorted({lowest(share, shape.layers) for share in _SHARES[shape.body > _LARGE] if share}))


def full_space(body: int, problem: Problem, rows: int, *, freezes: bool = False) -> Space:
    """For fine-tuning a source whose layers have `body` parameters on `rows` rows; `freezes`: whether its lower layers can be left as they
    are."""
    low, rate, high = _rates(body)
    writes = problem.head.kind == SEQ2SEQ
    if writes:
        low, rate, high = _WRITING * low, _WRITING * rate, _WRITING * high
    freezes, large = freezes and _leaves_layers(problem), body > _LARGE
    shares = _SHARES[large]
    frozen = next(share for most, share in _LEFT if rows <= most) if freezes and large else 0.0
    rates = {share: _FROZEN_RATE * rate if share else rate for share in shares}
    rate = rates[frozen]
    fewest, epochs, most = epochs_for(rows, body)
    parameters: dict[str, Parameter] = {
        "learning_rate": LogUniform(low, high),
        "batch_size": Choice((8, 16, 32)),
        "epochs": Integer(fewest, most),
        "warmup": Uniform(0.0, 0.2),
        "weight_decay": LogUniform(1e-3, 1e-1),
        "dropout": Uniform(0.0, 0.2),
        "head_rate": Choice((1,) if writes else (1, 5, 10)),  # what writes is pretrained, too
    }
    default: Hyperparameters = {
        "learning_rate": rate,
        "batch_size": 16 if rows <= 20_000 else 32,
        "epochs": epochs,
        "warmup": 0.1,
        "weight_decay": 0.01,
        "dropout": 0.1,
        "head_rate": 1 if writes else 5,
    }
    if freezes:
        parameters["frozen_share"], default["frozen_share"] = Choice(shares), frozen
    for name, (parameter, value) in _own_parameters(problem).items():
        parameters[name], default[name] = parameter, value
    first = portfolio(parameters, default)
    if freezes and large:
        first[:0] = [default | {"frozen_share": share, "learning_rate": rates[share]} for share in _NEXT[frozen]]
    if "crf" in parameters:
        first.insert(0, default | {"crf": True})
    return Space(parameters, default, tuple(point for place, point in enumerate(first) if point not in (default, *first[:place])))


def _own_parameters(problem: Problem) -> dict[str, tuple[Parameter, Value]]:
    """What only some kinds of head have, each with its default."""
    own: dict[str, tuple[Parameter, Value]] = {}
    if problem.head.kind in _BALANCE and is_uneven(problem):
        own["balance"] = (_BALANCE[problem.head.kind], "none")
    if problem.head.kind == TAGS:
        own["crf"] = (Choice((False, True)), False)
    return own


def contrastive_epochs(rows: int) -> tuple[int, int, int]:
    """Fewest, default and most epochs of comparing so many rows."""
    return next((low, default, high) for most, low, default, high in _CONTRASTIVE_EPOCHS if rows <= most)


def heads_fitted(epochs: int) -> int:
    """How often a head is fitted in so many epochs of comparing rows, each time to all of them: three times at most, since that is a third
    of an epoch's work."""
    return min(3, epochs)


def contrastive_space(body: int, problem: Problem, rows: int) -> Space:
    """For comparing `rows` rows by a source whose layers have `body` parameters; `C` is that of the head, as in `frozen_space`.

    On held-back training rows of banking77 a `C` of 0.3 was better than the 0.02 of `frozen` by 1.7 points of macro-F1 with 29 rows a
    class and by 1.0 with 8; on 8 and 32 rows a class of emotion it made no difference.
    """
    low, rate, high = (_COMPARING * value for value in _rates(body))
    fewest, epochs, most = contrastive_epochs(rows)
    parameters: dict[str, Parameter] = {
        "learning_rate": LogUniform(low, high),
        "batch_size": Choice((16, 32, 64)),
        "epochs": Integer(fewest, most),
        "temperature": LogUniform(0.03, 0.5),
        "dropout": Uniform(0.0, 0.2),
        **_head(problem),
    }
    default: Hyperparameters = {"learning_rate": rate, "batch_size": 32, "epochs": epochs, "temperature": 0.1, "dropout": 0.1, "C": 0.3}
    if "balance" in parameters:
        default["balance"] = "none"
    changes: tuple[Hyperparameters, ...] = (
        {"epochs": (epochs + most) // 2, "C": 0.02},
        {"learning_rate": (low * rate) ** 0.5, "temperature": 0.05, "C": 1.0},
    )
    return Space(parameters, default, tuple(default | change for change in changes))


def frozen_space(problem: Problem) -> Space:
    """For a linear head on fixed features: the inverse strength `C` of its penalty, or for a number the strength `alpha`."""
    if problem.head.kind == "regression":
        return Space({"alpha": LogUniform(10.0, 1e4)}, {"alpha": 1000.0}, ({"alpha": 300.0}, {"alpha": 3000.0}))
    parameters = _head(problem)
    default: Hyperparameters = {"C": 0.02}
    if "balance" in parameters:
        default["balance"] = "none"
    first = tuple(default | {"C": value} for value in (0.003, 0.2))
    return Space(parameters, default, first)


def _head(problem: Problem) -> dict[str, Parameter]:
    """For a logistic regression on features."""
    strength: dict[str, Parameter] = {"C": LogUniform(1e-4, 1e1)}
    return {**strength, "balance": Choice(("none", "weights"))} if is_uneven(problem) else strength
