"""Batches of rows of like length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

_MEGABATCH = 50
_JITTER = 0.15


def shuffled(lengths: npt.NDArray[np.int64], size: int, generator: np.random.Generator) -> list[Rows]:
    """Every place 0..n-1 exactly once, in batches of `size` rows of like length, in random order.

    Rows are drawn into megabatches and sorted within; a jitter on the length lets a row meet others in each epoch.
    """
    order = generator.permutation(len(lengths))
    batches: list[Rows] = []
    for start in range(0, len(order), size * _MEGABATCH):
        mega = order[start : start + size * _MEGABATCH]
        noisy = lengths[mega] * generator.uniform(1 - _JITTER, 1 + _JITTER, len(mega))
        mega = mega[np.argsort(-noisy, kind="stable")]
        batches += [mega[at : at + size] for at in range(0, len(mega), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def by_length(lengths: npt.NDArray[np.int64], budget: int, most: int = 256, *, least: int = 1) -> Iterator[Rows]:
    """Every place exactly once, longest first, in batches of at most `budget` padded tokens and `most` rows, but `least` rows at least."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(least, min(most, budget // max(1, int(lengths[order[start]]))))
        yield order[start : start + size]
        start += size


def by_class(codes: npt.NDArray[np.int64], size: int, together: int, generator: np.random.Generator) -> list[Rows]:
    """Every place 0..n-1 exactly once, in ceil(n / size) random batches of nearly equal size, in which the places of a class come
    `together` at a time where it has so many: with many classes, rows of one would hardly meet in a batch by chance."""
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    _, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    group = np.cumsum(rank % together == 0) - 1
    order = order[np.argsort(generator.permutation(len(order))[group], kind="stable")]
    return np.array_split(order, -(-len(order) // size))


def balanced_weights(codes: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float64]:
    """A weight a class, inverse to its count, mean 1 over the rows; 0 for classes without rows."""
    counts = np.bincount(codes, minlength=classes)
    present = np.maximum(1, np.count_nonzero(counts))
    return np.where(counts > 0, len(codes) / (present * np.maximum(counts, 1)), 0.0)


def oversampled(codes: npt.NDArray[np.int64], generator: np.random.Generator) -> Rows:
    """Places of an epoch in which every class is drawn as often as the square root of its share says.

    Each row comes at least once; rows of the largest class exactly once. The root keeps rare rows from being learned by heart.
    """
    counts = np.bincount(codes)
    places: list[Rows] = []
    for code in np.flatnonzero(counts):
        own = np.flatnonzero(codes == code)
        wanted = round(float(np.sqrt(counts[code] * counts.max())))
        whole, rest = divmod(wanted, len(own))
        places += [np.tile(own, whole), generator.choice(own, rest, replace=False)]
    return np.concatenate(places)


def positive_weights(targets: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """How much a label counts where a row has it, from `targets` of 0 and 1, (rows, labels): the root of the rows without it over those
    with it, at least 1. The root keeps rare rows from being learned by heart."""
    held = targets.sum(0, dtype=np.float64)
    odds: npt.NDArray[np.float64] = np.maximum(1.0, (len(targets) - held) / np.maximum(held, 1.0))
    return np.sqrt(odds)
