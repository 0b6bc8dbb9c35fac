"""A number a row: ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import TrialError
from autoft.interfaces.space import Hyperparameters
from autoft_plugins.models.linear.learned import ITERATIONS, TOLERANCE, Learned, Weights


def learn_scores(
    matrix: Any,
    targets: npt.NDArray[Any],
    weights: Weights,
    chosen: Hyperparameters,
    outputs: int,  # noqa: ARG001
    *,
    tolerance: float = TOLERANCE,
) -> Learned:
    """`targets` (rows,) in the user's units; so are the outputs, while the penalty sees them with mean 0 and variance 1.

    Raises TrialError when all rows have the same target.
    """
    from sklearn.linear_model import Ridge

    numbers = np.asarray(targets, dtype=np.float64).reshape(len(targets))
    mean, scale = numbers.mean(), numbers.std()
    if not scale > 0:
        raise TrialError(f"all {len(numbers)} rows to learn from have the score {mean:g}")
    regression = Ridge(alpha=float(chosen["alpha"]), tol=tolerance, max_iter=ITERATIONS)
    regression.fit(matrix, (numbers - mean) / scale, sample_weight=weights)
    iterations = 0 if regression.n_iter_ is None else int(np.max(regression.n_iter_))
    return Learned.of(regression.coef_[:, None] * scale, np.array([regression.intercept_ * scale + mean]), iterations)
