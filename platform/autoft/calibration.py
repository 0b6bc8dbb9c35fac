"""How far probabilities can be taken at their word, and what brings the logits behind them in line. Numpy only; nothing of it is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.result import Calibration
from autoft.interfaces.task import Link

BINS = 15
"""Of equal width, from 0 to 1 (Guo et al., On calibration of modern neural networks, ICML 2017, section 2)."""
FEWEST_ROWS = 50
"""Rows below which nothing is fitted."""
FEWEST_OF_A_LABEL = 10
"""Rows with, and rows without, a label below which it is left as it is."""
FOLDS = 5
MOST = 20.0
"""By which logits are multiplied or divided at most."""
_STEPS = 50
_CONVERGED = 1e-6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """Logits times `scale` plus `shift`, both (outputs,)."""

    scale: Floats
    shift: Floats

    def applied(self, logits: npt.NDArray[Any]) -> Floats:
        """To `logits` (n, outputs)."""
        made: Floats = np.asarray(logits, np.float64) * self.scale + self.shift
        return made


def calibrate(logits: npt.NDArray[Any], targets: npt.NDArray[Any], link: Link) -> tuple[Scaling | None, Calibration]:
    """What makes the `logits` (n, outputs) of rows that their model never saw likeliest, and what it is worth.

    `targets` are codes (n,) for softmax, 0 and 1 (n, outputs) for sigmoid. The figures "after" are of rows that were held out: each fifth
    is rescaled by what was fitted to the others. None, with the reason, where rows are few or the likelihood of rows held out does not
    improve by more than its standard error.
    """
    sound = np.isfinite(logits).all(axis=1)
    logits, targets = np.asarray(logits, np.float64)[sound], targets[sound]
    rows, before = len(logits), _losses(logits, targets, link)
    found = Calibration(rows=rows)
    if not rows:
        return None, found.model_copy(update={"reason": "there are no rows to judge it by"})
    found = Calibration(rows=rows, ece_before=error(*certainty(logits, targets, link)), log_loss_before=float(before.mean()))
    if rows < FEWEST_ROWS:
        return None, found.model_copy(update={"reason": f"{rows} rows tell too little: at least {FEWEST_ROWS} are needed"})
    fit, method = _FITS[link]
    held = np.empty_like(logits)
    number = np.random.default_rng(0).permutation(rows) % FOLDS
    for fold in range(FOLDS):
        mine = number == fold
        held[mine] = fit(logits[~mine], targets[~mine]).applied(logits[mine])
    after = _losses(held, targets, link)
    gain = before - after
    if not gain.mean() > gain.std() / np.sqrt(rows):
        return None, found.model_copy(update={"reason": "rows that were held out did not become likelier by it"})
    scaling = fit(logits, targets)
    told: dict[str, object] = {
        "method": method,
        "temperature": 1 / float(scaling.scale[0]) if link == "softmax" else None,
        "ece_after": error(*certainty(held, targets, link)),
        "log_loss_after": float(after.mean()),
    }
    return scaling, found.model_copy(update=told)


# How sure, and how often right


def certainty(logits: Floats, targets: npt.NDArray[Any], link: Link) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probabilities, and whether what they are of was so: of the likeliest class of each row (n,), or of each label of each row
    (n * labels,)."""
    if link == "sigmoid":
        return _sigmoid(logits).ravel(), (targets == 1).ravel()
    return _softmax(logits).max(axis=1), logits.argmax(axis=1) == targets


def binned(probabilities: npt.NDArray[Any], happened: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Floats, Floats]:
    """Of each bin, (BINS,): how many probabilities lie in it, their sum, and how often what they are of was so."""
    places = np.minimum((np.asarray(probabilities) * BINS).astype(np.int64), BINS - 1)
    sure, right = (np.bincount(places, weights=values, minlength=BINS).astype(np.float64) for values in (probabilities, happened))
    return np.bincount(places, minlength=BINS), sure, right


def error(probabilities: npt.NDArray[Any], happened: npt.NDArray[Any]) -> float:
    """The expected calibration error, 0 to 1: how far mean probability and frequency lie apart in a bin, the mean over all bins by how many
    are in each. Not a number without any."""
    counts, sure, right = binned(probabilities, happened)
    return float(np.abs(sure - right).sum() / counts.sum()) if counts.sum() else float("nan")


# Fits


def _temperature(logits: Floats, targets: npt.NDArray[Any]) -> Scaling:
    """One factor for all classes, by which no answer changes: temperature scaling (Guo et al., section 4.2). The mean loss is convex in it:
    Newton's method, halving where that leaves the bracket.

    What is right counts as right in all but one of n + 2 cases, as in Platt's method: rows without a mistake promise no certainty.
    """
    rows, classes = logits.shape
    logits = logits - logits.max(axis=1, keepdims=True)
    squares = logits**2
    truth, doubt = logits[np.arange(rows), targets], 1 / (rows + 2)
    wanted = float(((1 - doubt) * truth + doubt * (logits.sum(axis=1) - truth) / (classes - 1)).mean())
    low, high, factor = 1 / MOST, MOST, 1.0
    for _ in range(_STEPS):
        weights = np.exp(factor * logits)
        totals = weights.sum(axis=1)
        means, of_squares = (np.einsum("ij,ij->i", weights, values) / totals for values in (logits, squares))
        slope, curvature = float(means.mean()) - wanted, float((of_squares - means**2).mean())
        low, high = (low, factor) if slope > 0 else (factor, high)
        newton = factor - slope / curvature if curvature > 1e-12 else 0.0
        following = newton if low < newton < high else (low * high) ** 0.5
        if abs(following - factor) <= _CONVERGED * factor:
            break
        factor = following
    return Scaling(np.full(classes, factor), np.zeros(classes))


def _platt(logits: Floats, targets: npt.NDArray[Any]) -> Scaling:
    """A scale and a shift a label."""
    scale, shift = np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    for label in range(logits.shape[1]):
        line = _line(logits[:, label], targets[:, label] == 1)
        if line is not None:
            scale[label], shift[label] = line
    return Scaling(scale, shift)


def _line(logits: Floats, having: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """The scale and the shift of one label's logits, (rows,) (Platt, Probabilistic outputs for support vector machines, 1999; by the
    Newton's method with a line search of Lin, Lin and Weng, Machine Learning 68, 2007).

    None where too few rows tell, and where the scale is out of bounds: below 0 it would turn the answers round.
    """
    some, rest, spread = int(having.sum()), int((~having).sum()), float(logits.std())
    if min(some, rest) < FEWEST_OF_A_LABEL or not spread > 0:
        return None
    wanted = np.where(having, (some + 1) / (some + 2), 1 / (rest + 2))
    inputs = np.stack([(logits - logits.mean()) / spread, np.ones(len(logits))], axis=1)
    line = np.array([0.0, np.log((some + 1) / (rest + 1))])
    loss = float(_binary(inputs @ line, wanted).sum())
    for _ in range(_STEPS):
        chance = _sigmoid(inputs @ line)
        slope = inputs.T @ (chance - wanted)
        if np.abs(slope).max() <= _CONVERGED * len(logits):
            break
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        line, loss = _descended(line, step, loss, float(slope @ step), lambda tried: float(_binary(inputs @ tried, wanted).sum()))
    scale = float(line[0]) / spread
    return (scale, float(line[1]) - scale * float(logits.mean())) if 1 / MOST <= scale <= MOST else None


def _descended(line: Floats, step: Floats, loss: float, slope: float, loss_of: Callable[[Floats], float]) -> tuple[Floats, float]:
    """`line` after as much of the Newton `step` as makes the loss less, and its loss."""
    size = 1.0
    while True:
        tried = line - size * step
        found = loss_of(tried)
        if found <= loss - 1e-4 * size * slope or size < 1e-10:
            return tried, found
        size /= 2


_FITS: Mapping[Link, tuple[Callable[[Floats, npt.NDArray[Any]], Scaling], str]] = {
    "softmax": (_temperature, "temperature"),
    "sigmoid": (_platt, "platt"),
}


def _losses(logits: Floats, targets: npt.NDArray[Any], link: Link) -> Floats:
    """Minus the log-likelihood of each row (n,); of labels the mean over them."""
    if link == "sigmoid":
        made: Floats = _binary(logits, (targets == 1).astype(np.float64)).mean(axis=1)
        return made
    logits = logits - logits.max(axis=1, keepdims=True)
    losses: Floats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), targets]
    return losses


def _binary(logits: Floats, wanted: Floats) -> Floats:
    made: Floats = np.logaddexp(0.0, logits) - wanted * logits
    return made


def _softmax(logits: Floats) -> Floats:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    made: Floats = shares / shares.sum(axis=1, keepdims=True)
    return made


def _sigmoid(logits: Floats) -> Floats:
    made: Floats = (1 + np.tanh(logits / 2)) / 2
    return made
