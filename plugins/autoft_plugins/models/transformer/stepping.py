"""One step of training, whatever the memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays
from autoft_plugins.models.transformer.attention import most_rows
from autoft_plugins.models.transformer.precision import Device

if TYPE_CHECKING:
    from autoft_plugins.models.transformer.objectives.base import Objective

_CLIP = 1.0
_known_limits: dict[tuple[str, str], int] = {}


def is_out_of_memory(error: BaseException) -> bool:
    """Of a GPU or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)


class MemoryLimit:
    """The most padded tokens that go through a model at once; halved when memory runs out, and known to later trials of the process."""

    def __init__(self, source: str, device: torch.device, purpose: str) -> None:
        self._key = (source, f"{device.type}:{purpose}")

    def rows(self, width: int, rows: int) -> int:
        """How many rows of `width` tokens may go at once."""
        limit = _known_limits.get(self._key)
        return rows if limit is None else min(rows, max(1, limit // width))

    def halve(self, width: int, rows: int) -> None:
        """`rows` rows of `width` tokens were too much. Raises TrialError when that was a single row."""
        if rows <= 1:
            raise TrialError(f"out of memory with a single row of {width} tokens", hint="choose a smaller source: autoft models")
        _known_limits[self._key] = width * (rows // 2)


def optimizer(model: Any, own: nn.Module | None, fresh: frozenset[str], rate: float, head_rate: float, decay: float) -> torch.optim.AdamW:
    """Fused AdamW; biases, norms and look-up tables are not decayed; parameters the source did not hold learn `head_rate` times faster,
    as do those of `own`, what the objective learns beside the model."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = parameter.ndim < 2 or id(parameter) in tables
            key = (rate * (head_rate if name in fresh else 1), 0.0 if spared else decay)
            groups.setdefault(key, []).append(parameter)
    if own is not None:
        groups.setdefault((rate * head_rate, 0.0), []).extend(own.parameters())
    settings = [{"params": parameters, "lr": lr, "base": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]
    return torch.optim.AdamW(settings, lr=rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


class Stepper:
    """Forward, backward, clip, update. A batch that does not fit is split and its gradients accumulated."""

    def __init__(self, model: Any, objective: Objective, device: Device, optimizer: torch.optim.Optimizer, limit: MemoryLimit) -> None:
        self._model, self._objective, self._device, self._optimizer, self._limit = model, objective, device, optimizer, limit
        self._scaler = torch.amp.GradScaler(device.device.type, enabled=device.scales)
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def __call__(self, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], weights: Tensor, factor: float) -> Tensor:
        """One update at `factor` times the learning rate; the mean loss, detached. Raises TrialError when a single unit does not fit."""
        units, width = inputs["input_ids"].shape
        while True:
            size = self._limit.rows(width, self._most_rows(width, units))
            loss = self._gradients(inputs, targets, weights, size)
            if loss is not None:
                break
            self._optimizer.zero_grad(set_to_none=True)
            self._limit.halve(width, size)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._parameters, _CLIP, foreach=True)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return loss

    def _most_rows(self, width: int, units: int) -> int:
        return most_rows(self._model, self._device.device, width, units) if self._objective.separable else units

    def _gradients(self, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], weights: Tensor, size: int) -> Tensor | None:
        """Accumulate over pieces of `size` units; None when memory ran out. The caller retries outside the handler, which holds tensors."""
        total = torch.zeros((), device=self._device.device)
        share = weights / weights.sum().clamp_min(1e-12)
        try:
            for start in range(0, len(weights), size):
                piece = slice(start, start + size)
                with self._device.autocast():
                    logits = self._objective.forward(self._model, cut(inputs, piece))
                loss = (self._objective.taught(logits.float(), cut(targets, piece)) * share[piece]).sum()
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return total


def cut(tensors: Mapping[str, Tensor], piece: slice) -> dict[str, Tensor]:
    """Some of the units."""
    return {name: value[piece] for name, value in tensors.items()}


def to_tensors(arrays: Arrays, device: torch.device) -> dict[str, Tensor]:
    """Numpy arrays on the device."""
    return {name: torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True) for name, array in arrays.items()}
