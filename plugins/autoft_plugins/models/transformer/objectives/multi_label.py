"""Any number of labels a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.batches import positive_weights
from autoft_plugins.models.transformer.objectives.base import Units
from autoft_plugins.models.transformer.objectives.focal import focal
from autoft_plugins.models.transformer.objectives.last_layer import start_at
from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective
from autoft_plugins.models.transformer.objectives.teaching import Teaching


class MultiLabel(SequenceObjective):
    """Binary cross-entropy, the mean over the labels. Targets are 0 or 1, (n, labels). Rare labels: weights on what is positive, or focal
    loss."""

    kind = "multi_label_classification"

    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None:
        super().__init__(source, spec, data)
        weights = positive_weights(data.targets[data.train]) if self._balance == "weights" else np.ones(data.targets.shape[1])
        self._positive = torch.from_numpy(weights.astype(np.float32))

    def prepare(self, model: Any) -> None:
        positive = (self._data.targets[self._data.train].sum(0) + 0.5) * self._positive.numpy()
        negative = (1 - self._data.targets[self._data.train]).sum(0) + 0.5
        start_at(model, np.log(positive / negative))

    def targets(self, units: Units) -> Arrays:
        return {"targets": self._data.targets[units].astype(np.float32)}

    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        positive = self._positive.to(logits.device)
        losses = functional.binary_cross_entropy_with_logits(logits, targets["targets"], reduction="none", pos_weight=positive)
        return (focal(losses) if self._balance == "focal" else losses).mean(1)

    def imitation(self, teaching: Teaching, logits: Tensor, lesson: Tensor, targets: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        return teaching.labels(logits, lesson).mean(1)
