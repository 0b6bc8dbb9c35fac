"""Fine-tuning: the loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import HORIZON, SHARED, FitData, Report, TrialSpec
from autoft_plugins.models.transformer.attention import quick_attention
from autoft_plugins.models.transformer.dropout import cheap_dropout
from autoft_plugins.models.transformer.first_token import reading_first
from autoft_plugins.models.transformer.freezing import LowerLayers
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.known_states import KnownStates
from autoft_plugins.models.transformer.loading import CompactEmbedding, Loaded, WholeEmbedding
from autoft_plugins.models.transformer.memory import kept_memory
from autoft_plugins.models.transformer.objectives.base import Objective, Units
from autoft_plugins.models.transformer.precision import Device
from autoft_plugins.models.transformer.schedule import Horizon, Schedule
from autoft_plugins.models.transformer.stepping import MemoryLimit, Stepper, optimizer, to_tensors

_BACKWARD = 2.0
"""What a backward pass costs in forward passes over what has gradients."""

_Table: TypeAlias = WholeEmbedding | CompactEmbedding | KnownStates
"""What stands between the inputs and the layers that learn."""


@dataclass
class _Tally:
    """What happened since the last report, which was at `began` on `time.monotonic()`. Padding is no token and no work."""

    loss: Tensor
    began: float
    steps: int = 0
    tokens: int = 0
    flops: float = 0.0


class Trainer:
    """Fits a loaded model by an objective to the training rows of `data`, reporting on the validation rows."""

    def __init__(self, spec: TrialSpec, data: FitData, loaded: Loaded, objective: Objective, device: Device) -> None:
        if data.teacher is not None and objective.teaching is None:
            what = f"the kind of head {objective.kind} learns from labels only and cannot follow a teacher"
            raise TrialError(what, hint="leave --distill out")
        self._data, self._objective, self._device = data, objective, device
        self._settings = settings = spec.hyperparameters
        self._seed = spec.seed
        self._generator = np.random.default_rng(spec.seed)
        self._model = loaded.model
        if refusal := objective.refusal(self._model):
            raise TrialError(refusal, hint="choose another source: autoft models")
        objective.prepare(self._model)
        states = objective.states
        used = objective.used_ids() if states is None else None
        self._table: _Table = WholeEmbedding() if used is None else CompactEmbedding(self._model, used)
        self._lower = LowerLayers(self._model, float(settings.get("frozen_share", 0.0)))
        if states is not None:
            self._table = KnownStates(self._model, self._lower.count, states)
        above = objective.flops - (0.0 if objective.layer_flops is None else self._lower.count * objective.layer_flops)
        self._work = (objective.flops if states is None else above) + _BACKWARD * above
        for module in self._modules():
            module.to(device.device)
        rates = settings["learning_rate"], settings["head_rate"], settings["weight_decay"]
        adam = optimizer(self._model, objective.own, loaded.fresh, *rates)
        source = spec.candidate.source.sha256 if spec.candidate.source else ""
        self._step = Stepper(self._model, objective, device, adam, MemoryLimit(source, device.device, "training"))
        self._limit = MemoryLimit(source, device.device, "inference")
        self._shared = objective.shared_seconds

    def run(self, report: Report) -> None:
        """Train to the end of the horizon, or until told to stop; the model then has its whole embedding again, on the CPU.

        Raises TrialError when the loss is not finite.
        """
        try:
            self._train(True)
            with (
                kept_memory(self._device.device),
                cheap_dropout(self._model, self._device.device, self._seed),
                quick_attention(self._model, self._device.device),
                reading_first(self._model) if self._objective.reads_first else nullcontext(),
            ):
                self._loop(report)
        finally:
            for module in self._modules():
                module.to("cpu")
            self._table.close()
            self._lower.release()
            self._train(False)

    def _modules(self) -> list[nn.Module]:
        return [self._model, *([] if self._objective.own is None else [self._objective.own])]

    def _train(self, mode: bool) -> None:
        for module in self._modules():
            module.train(mode)
        self._lower.rest()

    def _loop(self, report: Report) -> None:
        size, epochs = int(self._settings["batch_size"]), int(self._settings["epochs"])
        epoch = self._objective.epoch(self._generator)
        total = epochs * math.ceil(len(epoch) / size)
        mean_work = epochs * float(self._work[epoch].sum()) / total
        reports = min(total, self._objective.evaluations(epochs))
        schedule = Schedule(total, self._settings["warmup"])
        evaluation = self._objective.evaluation(len(self._data.train), len(self._data.validation))
        horizon = Horizon(schedule, reports, evaluation * total / epochs)
        tally, done, mark = self._fresh_tally(), 0, monotonic()
        for step, units in enumerate(self._batches(size)):
            if report.stop_requested():
                return
            horizon.check(step, report.seconds_left())
            rate = schedule.rate(step)
            tally.loss += self._update(units, rate)
            tally.steps, tally.tokens = tally.steps + 1, tally.tokens + int(self._objective.lengths[units].sum())
            work = float(self._work[units].sum())
            tally.flops += work
            mark, before = monotonic(), mark
            horizon.stepped(mark - before, work / mean_work)
            progress = (step + 1) / schedule.total
            if progress >= 1 or progress * reports >= done + 1:
                done = int(progress * reports)
                if self._report(report, min(1.0, progress), tally, rate, horizon.share) or progress >= 1:
                    return
                mark, before = monotonic(), mark
                horizon.paused(mark - before)
                tally = self._fresh_tally()

    def _batches(self, size: int) -> Iterator[Units]:
        """Unit numbers, without end."""
        while True:
            yield from self._objective.batches(size, self._generator)

    def _update(self, units: Units, rate: float) -> Tensor:
        objective, device = self._objective, self._device.device
        inputs = to_tensors(self._table.translated(objective.inputs(units)), device)
        targets = to_tensors(objective.all_targets(units), device)
        weights = torch.from_numpy(objective.weights[units]).to(device)
        return self._step(inputs, targets, weights, rate)

    def _report(self, report: Report, progress: float, tally: _Tally, rate: float, share: float) -> bool:
        """Evaluate and report, with the `share` of the planned steps that fits into the time; whether to stop."""
        loss = float(tally.loss) / max(1, tally.steps)  # a GPU is done with all it was asked once this can be read
        seconds = max(monotonic() - tally.began, 1e-9)
        if not math.isfinite(loss):
            raise TrialError(
                f"the loss is not finite at {progress:.0%} of the trial (learning rate {self._settings['learning_rate']:.2g})",
                hint="a smaller learning rate",
            )
        outputs = self._evaluate(report)
        if outputs is None:
            return True
        measures = {
            "train_loss": loss,
            "tokens_per_second": tally.tokens / seconds,
            "flops_per_second": tally.flops / seconds,
            "learning_rate": self._settings["learning_rate"] * rate,
        }
        if share < 1:
            measures[HORIZON] = share
        if self._shared:
            measures[SHARED], self._shared = self._shared, 0.0
        return report(progress, outputs, self.save, extra=self._objective.extra(), **measures) == "stop"

    def _evaluate(self, report: Report) -> Arrays | None:
        run = Runner(self._device.device, self._limit, self._device.autocast, self._table.translated, report.stop_requested)
        self._train(False)
        outputs = self._objective.outputs(self._model, run, self._data.validation)
        self._train(True)
        return outputs

    def save(self, folder: Path) -> None:
        """The weights as they are now, whole."""
        with self._table.whole():
            self._objective.save(self._model, folder)

    def _fresh_tally(self) -> _Tally:
        return _Tally(torch.zeros((), device=self._device.device), monotonic())
