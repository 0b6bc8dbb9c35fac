"""Dropout whose masks are cheap on processors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 256


class _Masked(torch.autograd.Function):
    """`values` times a mask, of which the backward pass needs nothing else."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return values * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask, None


class ByteDropout(nn.Module):
    """Dropout (Srivastava et al., JMLR 15, 2014) that decides by a random byte for each value: `rate` is rounded to 1/256, what is kept is
    scaled by just that.

    torch draws a number of 32 bits a value, one after the other, which costs as much as a tenth of the matrix products of a small encoder.
    """

    def __init__(self, rate: float, bits: np.random.BitGenerator) -> None:
        super().__init__()
        self.p = rate
        self._dropped = min(round(rate * _LEVELS), _LEVELS - 1)
        self._bits = bits

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self._dropped:
            return values
        count = values.numel()
        drawn = torch.from_numpy(self._bits.random_raw(-(-count // 8)).view(np.uint8)[:count]).view(values.shape)
        # Written as numbers at once: torch is slow at making numbers of booleans.
        mask = torch.ge(drawn, self._dropped, out=torch.empty_like(values, requires_grad=False)).mul_(_LEVELS / (_LEVELS - self._dropped))
        made: Tensor = _Masked.apply(values, mask)  # type: ignore[no-untyped-call]
        return made


@contextmanager
def cheap_dropout(model: nn.Module, device: torch.device, seed: int) -> Iterator[None]:
    """Within: the model's dropout is `ByteDropout`, its masks drawn from `seed`, where it computes on a processor; a GPU's own is cheap.

    What drops nothing stays as it is: attention asks its own for the rate.
    """
    places = [
        (parent, name, child)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if device.type == "cpu" and type(child) is nn.Dropout and 0 < child.p < 1
    ]
    bits = np.random.SFC64(seed)
    for parent, name, child in places:
        setattr(parent, name, ByteDropout(child.p, bits).train(child.training))
    try:
        yield
    finally:
        for parent, name, child in places:
            setattr(parent, name, child.train(getattr(parent, name).training))
