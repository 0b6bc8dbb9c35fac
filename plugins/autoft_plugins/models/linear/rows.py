"""What learns one answer a row, by kind of head: of counted features here, of a frozen encoder's elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoft_plugins.models.linear.classes import learn_classes
from autoft_plugins.models.linear.labels import learn_labels
from autoft_plugins.models.linear.learned import Learned
from autoft_plugins.models.linear.scores import learn_scores

LABELS = "multi_label_classification"
"""The kind of head that is learned label by label, and can be stopped in between."""

LEARNERS: Mapping[str, Callable[..., Learned]] = {
    "single_label_classification": learn_classes,
    LABELS: learn_labels,
    "regression": learn_scores,
}
"""Each takes a matrix (rows, features), targets, weights or None, hyperparameters, outputs, and the `tolerance` at which it ends."""
