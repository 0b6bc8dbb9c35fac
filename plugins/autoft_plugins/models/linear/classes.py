"""One of several classes: multinomial logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.errors import TrialError
from autoft.interfaces.space import Hyperparameters
from autoft_plugins.models.linear.learned import ITERATIONS, SHARES, SURE, TOLERANCE, Learned, Weights, unfinished_is_fine

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def learn_classes(
    matrix: Any, targets: npt.NDArray[Any], weights: Weights, chosen: Hyperparameters, outputs: int, *, tolerance: float = TOLERANCE
) -> Learned:
    """`targets` (rows,) are codes. A class without a row gets a logit below all others. `tolerance` is that of the gradient.

    Raises TrialError when there are fewer than two classes to learn.
    """
    from sklearn.linear_model import LogisticRegression

    classes, counts = np.unique(targets, return_counts=True)
    if len(classes) < 2:
        raise TrialError(f"all {len(targets)} examples to learn from are of one class")
    shares = (len(targets) / (len(classes) * counts)) ** SHARES[chosen.get("class_weight", "none")]
    balance = dict(zip(classes.tolist(), shares.tolist(), strict=True))
    regression = LogisticRegression(C=float(chosen["C"]), class_weight=balance, tol=tolerance, max_iter=ITERATIONS)
    with unfinished_is_fine():
        regression.fit(matrix, targets, sample_weight=weights)
    return _of(regression, outputs)


def _of(regression: LogisticRegression, outputs: int) -> Learned:
    """One column a class also where scikit-learn keeps one for two."""
    coefficients, intercepts = regression.coef_, regression.intercept_
    if len(coefficients) == 1:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = np.zeros((coefficients.shape[1], outputs))
    bias = np.full(outputs, intercepts.min() - SURE)
    weight[:, regression.classes_] = coefficients.T
    bias[regression.classes_] = intercepts
    return Learned.of(weight, bias, int(np.max(regression.n_iter_)))
