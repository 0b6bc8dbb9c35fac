"""Any number of labels a row: one logistic regression a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import TrialError
from autoft.interfaces.space import Hyperparameters
from autoft_plugins.models.linear.learned import ITERATIONS, SHARES, SURE, TOLERANCE, Learned, Weights, unfinished_is_fine


def learn_labels(
    matrix: Any,
    targets: npt.NDArray[Any],
    weights: Weights,
    chosen: Hyperparameters,
    outputs: int,
    *,
    tolerance: float = TOLERANCE,
    stopped: Callable[[], bool] = lambda: False,
) -> Learned:
    """`targets` (rows, outputs) of 0 and 1. A label that no row has is never given, one that all have always. `stopped` is asked before
    each label.

    Raises TrialError when no label tells rows apart, and when it was stopped: a model of some of the labels is none.
    """
    from sklearn.linear_model import LogisticRegression

    having = targets.sum(axis=0)
    learnable = np.flatnonzero((having > 0) & (having < len(targets)))
    if not len(learnable):
        raise TrialError(f"every label stands on all or on none of the {len(targets)} rows to learn from")
    weight, bias = np.zeros((matrix.shape[1], outputs)), np.where(having > 0, SURE, -SURE)
    iterations = 0
    power = SHARES[chosen.get("class_weight", "none")]
    with unfinished_is_fine():
        for done, label in enumerate(learnable.tolist()):
            if stopped():
                raise TrialError(f"stopped after {done} of {len(learnable)} labels")
            shares = len(targets) / (2.0 * np.array([len(targets) - having[label], having[label]]))
            balance = dict(enumerate((shares**power).tolist()))
            regression = LogisticRegression(C=float(chosen["C"]), class_weight=balance, tol=tolerance, max_iter=ITERATIONS)
            regression.fit(matrix, targets[:, label], sample_weight=weights)
            weight[:, label], bias[label] = regression.coef_[0], regression.intercept_[0]
            iterations = max(iterations, int(regression.n_iter_[0]))
    return Learned.of(weight, bias, iterations)
