"""Written texts of two runs of one model: where two tokens are equally likely, rounding alone decides which is written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from autoft.interfaces.encoder import Arrays

_BY_TOKEN = ("sequences", "scores", "runner_up")
"""The outputs of models that write, each (rows, tokens); see `Fitted.outputs`."""


def writes(outputs: Arrays) -> bool:
    """Whether these are the outputs of a model that writes, with all that a comparison needs."""
    return all(name in outputs and outputs[name].ndim == 2 for name in _BY_TOKEN)


def settled(expected: Arrays, given: Arrays, tolerance: float) -> tuple[Arrays, int]:
    """`given` with what was expected in its place behind each such choice, and the number of its rows.

    A row counts where at the first token that differs the likeliest two are less than `tolerance` apart in log-probability, on both
    sides. `scores` and `runner_up` of that token are still to be compared, and all before it.
    """
    if not (writes(expected) and writes(given)) or len(expected["sequences"]) != len(given["sequences"]):
        return given, 0
    width = max(outputs["sequences"].shape[1] for outputs in (expected, given))
    wide = [{name: _filled(outputs[name], width) for name in _BY_TOKEN} for outputs in (expected, given)]
    differs = wide[0]["sequences"] != wide[1]["sequences"]
    rows = np.flatnonzero(differs.any(axis=1))
    first = differs[rows].argmax(axis=1)
    tied = np.logical_and(*(_tied(outputs, rows, first, tolerance) for outputs in wide))
    rows, first = rows[tied], first[tied]
    if not len(rows):
        return given, 0
    behind = np.full(len(differs), width)
    behind[rows] = first
    made = {name: np.where(np.arange(width) >= behind[:, None] + (name != "sequences"), wide[0][name], wide[1][name]) for name in _BY_TOKEN}
    if not made["sequences"][:, expected["sequences"].shape[1] :].any():
        made = {name: array[:, : expected[name].shape[1]] for name, array in made.items()}
    rest = {name: _replaced(array, expected[name], rows) for name, array in given.items() if name in expected and name not in _BY_TOKEN}
    return {**given, **rest, **made}, len(rows)


def _tied(outputs: Arrays, rows: npt.NDArray[np.int64], places: npt.NDArray[np.int64], tolerance: float) -> npt.NDArray[np.bool_]:
    best, second = outputs["scores"][rows, places], outputs["runner_up"][rows, places]
    tied: npt.NDArray[np.bool_] = (second < 0) & (best - second < tolerance)  # behind an end there are zeros
    return tied


def _filled(array: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])))


def _replaced(array: npt.NDArray[np.object_], expected: npt.NDArray[np.object_], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    if array.shape != expected.shape:
        return array
    made = array.astype(np.result_type(array, expected))
    made[rows] = expected[rows]
    return made
