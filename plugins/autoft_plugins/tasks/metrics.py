"""Figures in numpy; fast, since intervals evaluate them a thousand times."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Metric

Codes = npt.NDArray[np.int64]
Counts = npt.NDArray[Any]
Numbers = npt.NDArray[Any]

ERRORS = ("mae",)
"""Metrics of which less is better."""

MEANINGS = {
    "f1_macro": "the mean over all labels of F1, which is 1 where none is missed and none given wrongly",
    "f1_micro": "F1 over the labels of all rows together: 1 where none is missed and none given wrongly",
    "accuracy": "the share of rows that are right",
    "f1": "1 where every entity is found from end to end and none is invented",
    "precision": "the share of the entities found that are right from end to end",
    "recall": "the share of the entities there are that were found from end to end",
    "r2": "the share of the variation that is explained: 0 is no better than answering the mean",
    "mae": "the mean distance from the right number, in its own units",
    "spearman": "how far the order agrees: 1 wholly, 0 by chance",
    "rouge_l": "how far the words and their order agree with the text in the file: 1 wholly",
    "exact_match": "the share of rows answered with the very text in the file",
}
"""What a metric is, for the eye."""


def metric_named(name: str) -> Metric:
    """With its direction and its meaning."""
    return Metric(name=name, greater_is_better=name not in ERRORS, meaning=MEANINGS.get(name, ""))


def decisions(logits: npt.NDArray[Any]) -> Codes:
    """The class a row, shape (n,); -1, which is never right, where a logit is not a number."""
    logits = np.asarray(logits)
    if not len(logits):
        return np.zeros(0, np.int64)
    best: Codes = np.argmax(logits, axis=1).astype(np.int64)
    best[np.isnan(logits).any(axis=1)] = -1
    return best


def accuracy(targets: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> float:
    """Share of rows that are wholly right, of (n,) codes or (n, labels) 0 and 1; 0 without rows."""
    right = targets == predicted
    return float(np.mean(right if right.ndim == 1 else right.all(axis=1))) if len(targets) else 0.0


def label_counts(targets: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> tuple[Counts, Counts, Counts]:
    """Of each label, shape (labels,), the rows that have it and were given it, that have it, that were given it; both (n, labels), 1 where
    a row has one."""
    actual, given = targets == 1, predicted == 1
    return np.count_nonzero(actual & given, axis=0), np.count_nonzero(actual, axis=0), np.count_nonzero(given, axis=0)


def f1(hits: Counts, having: Counts, predicted: Counts) -> npt.NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN); 0 for what neither occurs nor is predicted."""
    value: npt.NDArray[np.float64] = 2 * hits / np.maximum(having + predicted, 1)
    return value


def f1_macro(targets: Codes, predicted: Codes, classes: int) -> float:
    """Mean of the F1 of all `classes`."""
    hits = np.bincount(targets[targets == predicted], minlength=classes)
    having, given = np.bincount(targets, minlength=classes), np.bincount(predicted[predicted >= 0], minlength=classes)
    return float(np.mean(f1(hits, having, given)))


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Over the last axis, in double precision."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    total: npt.NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return total


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """In double precision, without overflow."""
    small = np.exp(-np.abs(np.asarray(logits, np.float64)))
    return np.where(np.asarray(logits) >= 0, 1.0, small) / (1.0 + small)


def mean_absolute_error(targets: Numbers, predicted: Numbers) -> float:
    """In the units of the targets; 0 without rows."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - targets))) if len(targets) else 0.0


def r2(targets: Numbers, predicted: Numbers) -> float:
    """Share of the targets' variance that is explained; where they do not vary, 1 for no error and else 0."""
    if not len(targets):
        return 0.0
    actual = targets.astype(np.float64)
    unexplained, whole = float(np.sum((actual - predicted) ** 2)), float(np.sum((actual - actual.mean()) ** 2))
    return 1.0 - unexplained / whole if whole else float(unexplained == 0.0)


def spearman(targets: Numbers, predicted: Numbers) -> float:
    """Correlation of the ranks, ties by their average (Spearman, The proof and measurement of association between two things, 1904).

    0 where one side does not vary, since such an answer orders nothing; not-a-number where a prediction is none.
    """
    if not np.isfinite(predicted).all():
        return float("nan")
    one, other = (_centred_ranks(numbers) for numbers in (targets, predicted))
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / spread if spread else 0.0


def _centred_ranks(numbers: Numbers) -> npt.NDArray[np.float64]:
    order = np.argsort(numbers)
    ascending = numbers[order]
    new = np.ones(len(numbers), np.bool_)
    new[1:] = ascending[1:] != ascending[:-1]
    first = np.append(np.flatnonzero(new), len(numbers))
    ranks = np.empty(len(numbers))
    ranks[order] = ((first[:-1] + first[1:] - 1) / 2)[np.cumsum(new) - 1]
    return ranks - (len(numbers) - 1) / 2
