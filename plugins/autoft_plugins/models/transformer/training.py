"""Fine-tuning: the loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft.errors import TrialError
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.model import FitData, Report, TrialSpec
from autoft_plugins.models.transformer.batches import balanced_weights, oversampled, shuffled
from autoft_plugins.models.transformer.encoding import save_encoder
from autoft_plugins.models.transformer.heads import HeadKind, head_kind
from autoft_plugins.models.transformer.inference import run_rows
from autoft_plugins.models.transformer.loading import CompactEmbedding, Loaded, short_attention
from autoft_plugins.models.transformer.precision import Device
from autoft_plugins.models.transformer.schedule import Horizon, Schedule
from autoft_plugins.models.transformer.stepping import MemoryLimit, Stepper, optimizer, to_tensor
from autoft_plugins.models.transformer.tokenization import TokenisedRows

_FEWEST_REPORTS, _MOST_REPORTS = 3, 10


@dataclass
class _Tally:
    """What happened since the last report."""

    loss: Tensor
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Trainer:
    """Fits a loaded model to the training rows of `data`, reporting on the validation rows."""

    def __init__(self, spec: TrialSpec, data: FitData, loaded: Loaded, tokens: TokenisedRows, encoder: EncoderSpec, device: Device) -> None:
        if data.teacher is not None:
            raise TrialError("full fine-tuning cannot learn from a teacher", hint="leave the teacher out")
        self._data, self._tokens, self._encoder, self._device = data, tokens, encoder, device
        self._settings = spec.hyperparameters
        self._kind: HeadKind = head_kind(data.problem)
        self._pad = int(encoder.config["pad_id"])
        self._generator = np.random.default_rng(spec.seed)
        self._model = loaded.model
        used = np.concatenate([data.train, data.validation])
        ids = np.unique(np.concatenate([tokens.ids[tokens.starts[i] : tokens.starts[i + 1]] for i in used]))
        self._table = CompactEmbedding(self._model, torch.from_numpy(ids.astype(np.int64)))
        self._model.to(device.device)
        settings = self._settings
        adam = optimizer(self._model, loaded.fresh, settings["learning_rate"], settings["head_rate"], settings["weight_decay"])
        source = spec.candidate.source.sha256 if spec.candidate.source else ""
        self._step = Stepper(self._model, self._kind, device, adam, MemoryLimit(source, device.device, "training"))
        self._limit = MemoryLimit(source, device.device, "inference")
        self._weights = self._row_weights()

    def run(self, report: Report) -> None:
        """Train to the end of the horizon, or until told to stop; the model then has its whole embedding again, on the CPU.

        Raises TrialError when the loss is not finite.
        """
        try:
            self._model.train()
            with short_attention(self._model, self._device.device, int(self._tokens.lengths.max(initial=0))):
                self._loop(report)
        finally:
            self._model.to("cpu")
            self._table.close()
            self._model.eval()

    def _loop(self, report: Report) -> None:
        size, epochs = int(self._settings["batch_size"]), int(self._settings["epochs"])
        total = epochs * math.ceil(len(self._epoch_rows()) / size)
        reports = min(total, _MOST_REPORTS, max(_FEWEST_REPORTS, epochs))
        schedule = Schedule(total, self._settings["warmup"])
        horizon = Horizon(schedule, reports)
        tally, done, mark = self._fresh_tally(), 0, monotonic()
        for step, rows in enumerate(self._batches(size)):
            if report.stop_requested():
                return
            horizon.check(step, report.seconds_left())
            rate = schedule.rate(step)
            tally.loss += self._update(rows, rate)
            tally.steps, tally.tokens = tally.steps + 1, tally.tokens + int(self._tokens.lengths[rows].sum())
            mark, before = monotonic(), mark
            tally.seconds += mark - before
            horizon.stepped(mark - before)
            progress = (step + 1) / schedule.total
            if progress >= 1 or progress * reports >= done + 1:
                done = int(progress * reports)
                if self._report(report, min(1.0, progress), tally, rate) or progress >= 1:
                    return
                mark, before = monotonic(), mark
                horizon.paused(mark - before)
                tally = self._fresh_tally()

    def _batches(self, size: int) -> Iterator[npt.NDArray[np.int64]]:
        """Row numbers, without end."""
        while True:
            rows = self._epoch_rows()
            for places in shuffled(self._tokens.lengths[rows], size, self._generator):
                yield rows[places]

    def _epoch_rows(self) -> npt.NDArray[np.int64]:
        train = self._data.train
        if self._settings.get("balance", "none") != "oversample":
            return train
        return train[oversampled(self._data.targets[train].astype(np.int64), self._generator)]

    def _update(self, rows: npt.NDArray[np.int64], rate: float) -> Tensor:
        device = self._device.device
        ids, mask = self._tokens.padded(rows, self._pad)
        targets = to_tensor(self._data.targets[rows], device).to(self._kind.target_dtype)
        weights = to_tensor(self._weights[rows], device)
        return self._step(self._table.translate[torch.from_numpy(ids)].to(device), to_tensor(mask, device), targets, weights, rate)

    def _row_weights(self) -> npt.NDArray[np.float32]:
        weights = np.ones(len(self._tokens)) if self._data.weights is None else np.asarray(self._data.weights, dtype=np.float64)
        if self._settings.get("balance", "none") == "weights":
            codes = self._data.targets.astype(np.int64)
            weights = weights * balanced_weights(codes[self._data.train], self._data.problem.head.outputs)[codes]
        return weights.astype(np.float32)

    def _report(self, report: Report, progress: float, tally: _Tally, rate: float) -> bool:
        """Evaluate and report; whether to stop."""
        loss = float(tally.loss) / max(1, tally.steps)
        if not math.isfinite(loss):
            raise TrialError(
                f"the loss is not finite at {progress:.0%} of the trial (learning rate {self._settings['learning_rate']:.2g})",
                hint="a smaller learning rate",
            )
        logits = self._evaluate(report)
        if logits is None:
            return True
        speed = tally.tokens / max(tally.seconds, 1e-9)
        measures = {"train_loss": loss, "tokens_per_second": speed, "learning_rate": self._settings["learning_rate"] * rate}
        return report(progress, {"logits": logits}, self.save, **measures) == "stop"

    def _evaluate(self, report: Report) -> npt.NDArray[np.float32] | None:
        rows = self._data.validation
        if not len(rows):
            return np.zeros((0, self._data.problem.head.outputs), np.float32)
        self._model.eval()
        logits = run_rows(
            lambda ids, mask: self._model(input_ids=ids, attention_mask=mask).logits,
            self._tokens,
            rows,
            self._pad,
            self._device.device,
            self._limit,
            precision=self._device.autocast,
            translate=self._table.translate,
            stop=report.stop_requested,
        )
        self._model.train()
        return logits if len(logits) else None

    def save(self, folder: Path) -> None:
        """The weights as they are now, whole."""
        with self._table.whole():
            save_model(self._model, self._encoder, folder)

    def _fresh_tally(self) -> _Tally:
        return _Tally(torch.zeros((), device=self._device.device))


def save_model(model: Any, encoder: EncoderSpec, folder: Path) -> None:
    """In the library's own layout, with the tokenizer's files."""
    model.save_pretrained(folder)
    save_encoder(encoder, folder)
