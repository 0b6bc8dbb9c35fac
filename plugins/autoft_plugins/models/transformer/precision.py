"""Where and how exactly to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from autoft.errors import TrialError


@dataclass(frozen=True)
class Device:
    """`fast` is the type of matrix products in training; float32 where the processor has nothing faster."""

    device: torch.device
    fast: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """Matrix products in `fast`."""
        if self.fast == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.fast)

    @property
    def scales(self) -> bool:
        """Whether gradients need scaling lest they vanish."""
        return self.fast == torch.float16


def device_for(gpus: float) -> Device:
    """A GPU for a trial that was given (a part of) one. Raises TrialError when there is none."""
    if gpus > 0:
        if not torch.cuda.is_available():
            raise TrialError("the trial was given a GPU, but torch finds none", hint="run without GPUs, or install torch with CUDA")
        return Device(torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16)
    return Device(torch.device("cpu"), torch.bfloat16 if _cpu_has_bf16() else torch.float32)


def _cpu_has_bf16() -> bool:
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
