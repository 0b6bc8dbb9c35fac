"""Outputs of many rows, in batches of like length, in the order asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft.interfaces.encoder import Arrays, joined
from autoft_plugins.models.transformer.batches import by_length
from autoft_plugins.models.transformer.loading import Vocabulary, untranslated
from autoft_plugins.models.transformer.stepping import MemoryLimit, cut, is_out_of_memory, to_tensors

Units = npt.NDArray[np.int64]
Forward = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
"""A model's inputs by name, first axis units, to its outputs by name, first axis units."""

_BUDGET = {"cpu": 512, "cuda": 65536}
"""Padded tokens a batch. On processors more do not fit the cache: MPNet-base ran at 886 tokens a second with 512, 539 with 4,096."""


@dataclass(frozen=True)
class Runner:
    """Where and how a model answers: its device, the memory there is, the precision, and when to give up."""

    device: torch.device
    limit: MemoryLimit
    precision: Callable[[], AbstractContextManager[object]] = nullcontext
    vocabulary: Vocabulary = untranslated
    stop: Callable[[], bool] = lambda: False

    def __call__(
        self, forward: Forward, inputs: Callable[[Units], Arrays], lengths: npt.NDArray[np.int64], *, least: int = 1
    ) -> Arrays | None:
        """`forward` over units 0..n-1 whose tokens are `lengths` (n,): outputs by name in that order, axes that vary filled up with
        zeros; floating-point ones in float32. `inputs(units)` gives the arrays of some, `least` units or more at
        once, as long as there are so many and the memory holds them. Empty without units, None once told to stop."""
        pieces: list[tuple[Units, Arrays]] = []
        for units in by_length(lengths, _BUDGET.get(self.device.type, 4096), least=least):
            if self.stop():
                return None
            pieces.append((units, self._piecewise(forward, to_tensors(self.vocabulary(inputs(units)), self.device))))
        return joined(pieces, len(lengths))

    def _piecewise(self, forward: Forward, inputs: dict[str, Tensor]) -> Arrays:
        rows, width = inputs["input_ids"].shape
        while True:
            size = self.limit.rows(width, rows)
            try:
                with torch.inference_mode(), self.precision():
                    parts = [_arrays(forward(cut(inputs, slice(at, at + size)))) for at in range(0, rows, size)]
                return joined([(range(at, min(at + size, rows)), part) for at, part in zip(range(0, rows, size), parts, strict=True)], rows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self.limit.halve(width, size)


def _arrays(outputs: Mapping[str, Tensor]) -> Arrays:
    return {name: (value.float() if value.is_floating_point() else value).cpu().numpy() for name, value in outputs.items()}


def on_processor() -> Runner:
    """Full precision, nobody waiting."""
    device = torch.device("cpu")
    return Runner(device, MemoryLimit("fitted", device, "inference"))
