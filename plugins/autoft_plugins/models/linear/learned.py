"""What every kind of linear learning gives: weights, a bias, and how long it took."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

SURE = 20.0
"""A logit that stands for never (below) or always (above)."""
TOLERANCE, ITERATIONS = 1e-3, 300
"""When a regression counts as converged."""

Floats: TypeAlias = npt.NDArray[np.float64]
Weights: TypeAlias = npt.NDArray[Any] | None
"""One number a row, or none."""

SHARES = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}
"""Values of `class_weight`: the power of the inverse class frequency that goes into the weight of a row."""


@dataclass(frozen=True)
class Learned:
    """`weight` (features, outputs) and `bias` (outputs,), float32."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    iterations: int

    @classmethod
    def of(cls, weight: Floats, bias: Floats, iterations: int) -> Learned:
        """In single precision."""
        return cls(np.ascontiguousarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32), iterations)

    def on_raw(self, mean: Floats, scale: Floats) -> Learned:
        """The same answers from features as they were before `mean` was taken off and `scale` divided by, each (features,)."""
        weight = self.weight.astype(np.float64) / scale[:, None]
        return Learned.of(weight, self.bias - mean @ weight, self.iterations)


@contextmanager
def unfinished_is_fine() -> Iterator[None]:
    """A regression that ends at its last iteration has learned all that shows in a figure."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
