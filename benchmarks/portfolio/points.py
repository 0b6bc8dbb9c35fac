"""Points to measure, in the relative terms of `autoft_plugins.models.transformer.portfolio`."""

from __future__ import annotations

import math
from collections.abc import Iterable

from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform, Value
from autoft_plugins.models.transformer.portfolio import relative

BY_HAND: tuple[Hyperparameters, ...] = (
    {"balance": "weights"},
    {"frozen_share": 1 / 3, "learning_rate": 2.0},
    {"learning_rate": 1.632993161855452, "batch_size": 32},
    {"epochs": 1.5, "learning_rate": 0.7186082239261684, "dropout": 0.05},
)
"""What was tried after the default before anything was mined: the rate half way to its bound, or to the half of its lower range."""
SEED = 0
"""Of the scrambling: the same points each time, and the first ones of more points are those of fewer."""


def drawn(space: Space, many: int) -> list[Hyperparameters]:
    """So many points of a scrambled Sobol sequence (Owen, 1998), which fill a space more evenly than chance does."""
    from scipy.stats import qmc

    if not many:
        return []
    shares = qmc.Sobol(len(space.parameters), scramble=True, rng=SEED).random_base2(math.ceil(math.log2(many)))[:many].tolist()
    return [{name: _at(*pair) for (name, *pair) in zip(space.parameters, space.parameters.values(), row, strict=True)} for row in shares]


def _at(parameter: Parameter, share: float) -> Value:
    """The value so far from the lowest to the highest, `share` in [0, 1)."""
    match parameter:
        case Choice(values):
            return values[int(share * len(values))]
        case Integer(low, high):
            return low + int(share * (high - low + 1))
        case Uniform(low, high):
            return low + share * (high - low)
        case LogUniform(low, high):
            return low * (high / low) ** share


def widest(spaces: Iterable[Space]) -> Space:
    """The one with most parameters. Raises ValueError where another has one that it lacks."""
    spaces = list(spaces)
    found = max(spaces, key=lambda space: len(space.parameters))
    if lacking := sorted({name for space in spaces for name in space.parameters} - set(found.parameters)):
        raise ValueError(f"no set has all parameters: {', '.join(lacking)} come beside others")
    return found


def points(space: Space, many: int) -> dict[str, Hyperparameters]:
    """By name and in relative terms: the default, the points made by hand as far as the space has what they change, and `many` drawn
    ones."""
    default = relative(space.default, space.default)
    made = [change for change in BY_HAND if set(change) <= set(space.parameters)]
    named = {"default": default} | {f"hand {number}": default | change for number, change in enumerate(made, start=1)}
    return named | {f"drawn {number}": relative(point, space.default) for number, point in enumerate(drawn(space, many), start=1)}


def by_hand(name: str) -> bool:
    """Whether a name of `points` is that of the default or of a point made by hand."""
    return not name.startswith("drawn ")
