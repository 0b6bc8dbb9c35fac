"""A tag a word: multinomial logistic regression over the words of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import TrialError
from autoft.interfaces.space import Hyperparameters
from autoft_plugins.models.linear.classes import learn_classes
from autoft_plugins.models.linear.learned import Learned, Weights

_TOLERANCE = 1e-4
"""Entities are rare: what tells them apart is learned last."""


def learn_tags(
    matrix: Any, lengths: Sequence[int], targets: npt.NDArray[Any], weights: Weights, chosen: Hyperparameters, outputs: int
) -> Learned:
    """`matrix` has a row a word, `lengths` (rows,) tells the words a row; `targets` (rows, most words) are codes, -1 where there is none.

    Raises TrialError when the targets do not cover the words, or hold fewer than two tags.
    """
    counts = np.asarray(lengths, dtype=np.int64)
    if counts.max(initial=0) > targets.shape[1]:
        raise TrialError(f"a row has {counts.max()} words, but tags for {targets.shape[1]}")
    flat = targets[np.arange(targets.shape[1]) < counts[:, None]].astype(np.int64)
    known = np.flatnonzero(flat >= 0)
    each = None if weights is None else np.repeat(weights, counts)[known]
    return learn_classes(matrix[known], flat[known], each, chosen, outputs, tolerance=_TOLERANCE)
