"""One answer a row, of one text or two: what the kinds of it share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from torch import Tensor

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.encoding import encoder_spec, token_config
from autoft_plugins.models.transformer.feature_cache import states_of
from autoft_plugins.models.transformer.fitted import FittedClassifier, load_classifier
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.objectives.base import Objective, Units
from autoft_plugins.models.transformer.objectives.teaching import Teaching
from autoft_plugins.models.transformer.structure import lowest
from autoft_plugins.models.transformer.tokenization import tokenised


class SequenceObjective(Objective):
    """Units are rows; `logits` (rows, outputs). A subclass gives the loss, and weights where classes are to be balanced."""

    auto_class = "AutoModelForSequenceClassification"
    reads_first = True

    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None:
        self._source, self._spec, self._data = source, spec, data
        self.teaching = Teaching.of(spec, data)
        self._balance = str(spec.hyperparameters.get("balance", "none"))
        shape = anatomy(source)
        self._depth = lowest(float(spec.hyperparameters.get("frozen_share", 0.0)), shape.layers)
        self._config = token_config(source, shape.max_length(data.problem.max_length), data.problem.inputs)
        self.encoder = encoder_spec(source, self._config)
        self._tokens = tokenised(source, data.rows, self._config, data.cache)
        self.lengths = self._tokens.lengths
        self.flops = shape.forward_flops(self.lengths, first_only=True)
        self.layer_flops = shape.layer_flops(self.lengths)
        weights = np.ones(len(data.rows)) if data.weights is None else np.asarray(data.weights, dtype=np.float64)
        self.weights = (weights * self._row_weights()).astype(np.float32)

    @classmethod
    def facts(cls, problem: Problem) -> dict[str, Any]:
        return {**super().facts(problem), "problem_type": cls.kind}

    def read_below(self, stop: Callable[[], bool]) -> None:
        if not self._depth:
            return
        begun = monotonic()
        self.states = states_of(self._source, self._data, self._config, self._depth, self._spec.gpus, stop)
        if self.states is not None:
            self.shared_seconds = monotonic() - begun
            self._tokens = self._tokens.numbered()

    def _row_weights(self) -> Any:
        """A factor a row, beside the weights the data came with."""
        return 1.0

    def epoch(self, generator: np.random.Generator) -> Units:  # noqa: ARG002
        return self._data.train

    def used_ids(self) -> Units:
        return self._tokens.used(np.concatenate([self._data.train, self._data.validation]))

    def inputs(self, units: Units) -> Arrays:
        return self._tokens.inputs(units)

    def targets(self, units: Units) -> Arrays:
        return {"targets": self._data.targets[units]}

    def outputs(self, model: Any, run: Runner, rows: Units) -> Arrays | None:
        def forward(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {"logits": self.forward(model, inputs)}

        if not len(rows):
            return {"logits": np.zeros((0, self._data.problem.head.outputs), np.float32)}
        return run(forward, lambda units: self.inputs(rows[units]), self.lengths[rows])

    def fitted(self, model: Any) -> FittedClassifier:
        return FittedClassifier(model, self.encoder, self.kind)

    @classmethod
    def load(cls, folder: Path) -> FittedClassifier:
        return load_classifier(folder)
