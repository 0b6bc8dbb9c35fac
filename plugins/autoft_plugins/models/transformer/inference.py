"""Outputs of many rows, in batches of like length, in the order asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft_plugins.models.transformer.batches import by_length
from autoft_plugins.models.transformer.stepping import MemoryLimit, is_out_of_memory, to_tensor
from autoft_plugins.models.transformer.tokenization import TokenisedRows

Forward = Callable[[Tensor, Tensor], Tensor]
"""(ids, mask), both (rows, length), to (rows, width)."""

_BUDGET = {"cpu": 512, "cuda": 65536}
"""Padded tokens a batch. On processors more do not fit the cache: MPNet-base ran at 886 tokens a second with 512, 539 with 4,096."""


def run_rows(
    forward: Forward,
    tokens: TokenisedRows,
    rows: npt.NDArray[np.int64],
    pad: int,
    device: torch.device,
    limit: MemoryLimit,
    *,
    precision: Callable[[], AbstractContextManager[object]] = nullcontext,
    translate: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> npt.NDArray[np.float32]:
    """`forward` over `rows`: float32, shape (rows, width), in the order of `rows`. Empty, (0, 0), once `stop` says so."""
    made: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
    for places in by_length(tokens.lengths[rows], _BUDGET.get(device.type, 4096)):
        if stop():
            return np.zeros((0, 0), np.float32)
        ids, mask = (torch.from_numpy(array) for array in tokens.padded(rows[places], pad))
        if translate is not None:
            ids = translate[ids]
        part = _piecewise(forward, to_tensor(ids.numpy(), device), to_tensor(mask.numpy(), device), limit, precision)
        if not len(made):
            made = np.zeros((len(rows), part.shape[1]), np.float32)
        made[places] = part
    return made


def _piecewise(
    forward: Forward, ids: Tensor, mask: Tensor, limit: MemoryLimit, precision: Callable[[], AbstractContextManager[object]]
) -> npt.NDArray[np.float32]:
    rows, width = ids.shape
    while True:
        size = limit.rows(width, rows)
        try:
            with torch.inference_mode(), precision():
                parts = [forward(ids[at : at + size], mask[at : at + size]).float().cpu() for at in range(0, rows, size)]
            return torch.cat(parts).numpy()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        limit.halve(width, size)
