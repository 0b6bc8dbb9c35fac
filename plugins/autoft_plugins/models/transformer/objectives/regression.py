"""A number a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.fitted import FittedClassifier
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.objectives.base import Units
from autoft_plugins.models.transformer.objectives.last_layer import fold, last_linear
from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective
from autoft_plugins.models.transformer.objectives.teaching import Teaching


class Regression(SequenceObjective):
    """Squared error on targets of mean 0 and deviation 1 over the training rows. What is given out, saved and exported is in the user's
    own units: the scaling is folded into the last linear layer."""

    kind = "regression"

    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None:
        super().__init__(source, spec, data)
        values = data.targets[data.train].astype(np.float64)
        self._mean = float(values.mean())
        self._scale = float(values.std()) or 1.0

    def refusal(self, model: Any) -> str | None:
        if last_linear(model) is not None:
            return None
        return f"{type(model).__name__} does not end in a linear layer with a bias, into which a scale could be folded"

    def targets(self, units: Units) -> Arrays:
        return {"targets": self._scaled(self._data.targets[units])}

    def lesson(self, teaching: Teaching, units: Units) -> npt.NDArray[np.float32]:
        return self._scaled(super().lesson(teaching, units))

    def _scaled(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        scaled: npt.NDArray[np.float32] = ((values - self._mean) / self._scale).astype(np.float32)
        return scaled

    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        return (logits[:, 0] - targets["targets"]) ** 2

    def imitation(self, teaching: Teaching, logits: Tensor, lesson: Tensor, targets: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        return (logits[:, 0] - lesson[:, 0]) ** 2

    def outputs(self, model: Any, run: Runner, rows: Units) -> Arrays | None:
        made = super().outputs(model, run, rows)
        return made and {"logits": (made["logits"] * self._scale + self._mean).astype(np.float32)}

    def save(self, model: Any, folder: Path) -> None:
        with self._in_units(model):
            super().save(model, folder)

    def fitted(self, model: Any) -> FittedClassifier:
        self._fold(last_linear(model))
        return super().fitted(model)

    @contextmanager
    def _in_units(self, model: Any) -> Iterator[None]:
        layer = last_linear(model)
        weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
        self._fold(layer)
        try:
            yield
        finally:
            with torch.no_grad():
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def _fold(self, layer: Any) -> None:
        fold(layer, np.array([self._scale]), np.array([self._mean]))
