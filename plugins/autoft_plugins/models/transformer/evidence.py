"""What a source's untrained features tell of a problem's targets: cheap evidence of which source to tune."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft.errors import TrialError
from autoft.interfaces.model import Evidence, FitData
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.encoding import token_config
from autoft_plugins.models.transformer.feature_cache import views_of
from autoft_plugins.models.transformer.features import layer_mean, scaling
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.loading import body, forget
from autoft_plugins.models.transformer.objectives import SEQUENCE_HEADS
from autoft_plugins.models.transformer.objectives.words import learnable_tags
from autoft_plugins.models.transformer.precision import device_for
from autoft_plugins.models.transformer.proposals import fits
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.transferability import h_score, h_score_of_labels, log_evidence
from autoft_plugins.models.transformer.windows import WindowedRows, cached_windows
from autoft_plugins.tasks.entities import TAGS

MOST_WORDS = 10_000
"""Words whose vectors are compared."""

Floats = npt.NDArray[np.float64]
_Score = Callable[[Floats, npt.NDArray[Any]], float | None]

_SCORES: dict[str, tuple[str, _Score]] = {
    "single_label_classification": ("H-score", lambda features, targets: h_score(features, targets.astype(np.int64))),
    "multi_label_classification": ("H-score", lambda features, targets: h_score_of_labels(features, targets.astype(np.int8))),
    "regression": ("LogME", lambda features, targets: log_evidence(features, targets.reshape(-1))),
    TAGS: ("H-score", h_score),
}


def evidence(source: Source, data: FitData, threads: int, gpus: float, stop: Callable[[], bool]) -> Evidence | None:
    """Of the training rows' texts, or of some of their words. None where the kind of head or the targets leave nothing to compare.

    Garbas et al. (Findings of ACL 2024) found the H-score of the mean over all layers the best guide among those they tried. It is taken
    here, and beside it that of the last layer, in which many sources have been trained to say it all: the greater counts. On six data sets
    with 100, 300 and 1,000 rows, it put four sources into the order of their size 16 times of 18, the layer mean alone 13 times. Features
    are scaled as the head of `frozen` sees them. Raises TrialError when stopped.
    """
    kind = data.problem.head.kind
    if kind not in _SCORES or not fits(data.problem, (*SEQUENCE_HEADS, TAGS)):
        return None
    torch.set_num_threads(threads)
    try:
        views, targets = (_words if kind == TAGS else _texts)(source, data, gpus, stop)
    finally:
        # Whoever ranks sources does not train them, and trials of other processes want the memory.
        forget(source)
        if gpus:
            torch.cuda.empty_cache()
    measure, score = _SCORES[kind]
    scores = [found for features in views.values() if (found := score(_scaled(features, data.problem), targets)) is not None]
    return Evidence(measure, max(scores)) if scores else None


def _scaled(features: npt.NDArray[np.float32], problem: Problem) -> Floats:
    exact = features.astype(np.float64)
    mean, scale = scaling(exact, len(problem.inputs))
    return (exact - mean) / scale


_Views = tuple[Mapping[str, npt.NDArray[np.float32]], npt.NDArray[Any]]


def _texts(source: Source, data: FitData, gpus: float, stop: Callable[[], bool]) -> _Views:
    """Features of the training rows, and their targets."""
    return views_of(source, data, _config(source, data.problem), gpus, stop), data.targets[data.train]


def _words(source: Source, data: FitData, gpus: float, stop: Callable[[], bool]) -> _Views:
    """Vectors of some words of the training rows at their first tokens, and the tags of these; as many of each window, drawn by the
    problem's seed."""
    windows = cached_windows(source, data.rows, _config(source, data.problem), data.cache)
    units = windows.of_rows(data.train)
    chosen = _drawn(windows, units, max(1, MOST_WORDS // max(1, len(units))), data.problem.seed)
    places = _side_by_side(windows, units, chosen)
    device = device_for(gpus)
    model = body(source).to(device.device)
    run = Runner(device.device, MemoryLimit(source.sha256, device.device, "inference"), device.autocast, stop=stop)

    def forward(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        at = inputs["places"].clamp_min(0)[:, :, None]
        found = model(**{name: value for name, value in inputs.items() if name != "places"}, output_hidden_states=True)
        views = {"vectors": found.last_hidden_state.float(), "layers": layer_mean(found.hidden_states)}
        return {name: states.gather(1, at.expand(-1, -1, states.shape[2])) for name, states in views.items()}

    tokens = windows.tokens
    made = run(forward, lambda some: {**tokens.inputs(units[some]), "places": places[some]}, tokens.lengths[units])
    if made is None:
        raise TrialError("stopped before the features were computed")
    tags = learnable_tags(windows, data.targets)[chosen]
    return {name: vectors[places >= 0] for name, vectors in made.items()}, tags


def _drawn(windows: WindowedRows, units: npt.NDArray[np.int64], most: int, seed: int) -> npt.NDArray[np.int64]:
    """Places of `most` words of each of the windows, or of all it has, in the order in which they stand."""
    own = np.flatnonzero(np.isin(windows.places.windows, units))
    of = windows.places.windows[own]
    order = np.lexsort((np.random.default_rng(seed).random(len(own)), of))
    rank = np.arange(len(own)) - np.searchsorted(of[order], of[order])
    return np.sort(own[order[rank < most]])


def _side_by_side(windows: WindowedRows, units: npt.NDArray[np.int64], words: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The tokens at which `words` are read, a row of them for each window, -1 behind the last: (windows, most words)."""
    slots = np.searchsorted(units, windows.places.windows[words])
    columns = np.arange(len(words)) - np.searchsorted(slots, slots)
    made = np.full((len(units), int(columns.max(initial=0)) + 1), -1)
    made[slots, columns] = windows.places.tokens[words]
    return made


def _config(source: Source, problem: Problem) -> dict[str, Any]:
    return token_config(source, anatomy(source).max_length(problem.max_length), problem.inputs)
