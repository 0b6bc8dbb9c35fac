"""Attention on processors: by which kernel, and of how many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

SCORES = 16 * 12 * 256**2
"""As many scores of a layer as plain attention may hold, rows x heads x tokens x tokens: its memory grows with the square of the tokens,
and with the memory the time."""


def most_rows(model: Any, device: torch.device, width: int, rows: int) -> int:
    """How many of `rows` rows of `width` tokens are to go at once for the sake of attention; all of them on a GPU."""
    if device.type != "cpu":
        return rows
    return min(rows, max(1, SCORES // (_heads(model) * width**2)))


@contextmanager
def quick_attention(model: Any, device: torch.device) -> Iterator[None]:
    """Within: what learns on a processor has plain matrix products for attention, which are faster than torch's fused kernel: its
    backward pass is several times slower in bfloat16. More than `SCORES` at once have the fused one, as has whatever does not learn."""
    own = model.config._attn_implementation
    if own != "sdpa" or device.type != "cpu":
        yield
        return

    def choose(_module: Any, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        ids = given[0] if given else named.get("input_ids")
        few = ids is not None and len(ids) * _heads(model) * ids.shape[1] ** 2 <= SCORES
        wanted = "eager" if few and torch.is_grad_enabled() else own
        if wanted != model.config._attn_implementation:
            model.set_attn_implementation(wanted)

    hook = model.base_model.register_forward_pre_hook(choose, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
        model.set_attn_implementation(own)


def _heads(model: Any) -> int:
    return int(getattr(model.config, "num_attention_heads", 1))
