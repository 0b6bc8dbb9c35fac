"""One of several classes a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from autoft.interfaces.encoder import Arrays
from autoft_plugins.models.transformer.batches import balanced_weights, oversampled
from autoft_plugins.models.transformer.objectives.base import Units
from autoft_plugins.models.transformer.objectives.focal import focal
from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective
from autoft_plugins.models.transformer.objectives.teaching import Teaching


class SingleLabel(SequenceObjective):
    """Cross-entropy. Targets are class codes (n,). Uneven classes: weights by class, rare rows drawn more often, or focal loss."""

    kind = "single_label_classification"

    def targets(self, units: Units) -> Arrays:
        return {"targets": self._data.targets[units].astype(np.int64)}

    def _row_weights(self) -> Any:
        if self._balance != "weights":
            return 1.0
        codes = self._data.targets.astype(np.int64)
        return balanced_weights(codes[self._data.train], self._data.problem.head.outputs)[codes]

    def epoch(self, generator: np.random.Generator) -> Units:
        train = self._data.train
        if self._balance != "oversample":
            return train
        return train[oversampled(self._data.targets[train].astype(np.int64), generator)]

    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        losses = functional.cross_entropy(logits, targets["targets"], reduction="none")
        return focal(losses) if self._balance == "focal" else losses

    def imitation(self, teaching: Teaching, logits: Tensor, lesson: Tensor, targets: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        return teaching.classes(logits, lesson)
