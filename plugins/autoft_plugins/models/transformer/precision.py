"""Where and how exactly to compute."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

from autoft.errors import TrialError

_SQUARE = {"cpu": 1024, "cuda": 8192}
"""Rows of the square matrices that are multiplied to find out how fast that can go: large enough that the products are all that counts."""
_PEAK_SECONDS = 0.5


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


@cache
def peak_flops(threads: int, gpus: float) -> float:
    """Floating-point operations a second of products of random square matrices in the type that trials learn in, on `threads` threads or,
    where `gpus` is not 0, on one whole GPU.

    Measured for half a second; the fastest product counts, so that a passing load does not. Nothing else should run meanwhile.
    """
    device = device_for(gpus)
    size, before = _SQUARE[device.device.type], torch.get_num_threads()
    left, right = torch.randn(2, size, size, device=device.device, dtype=device.fast)
    torch.set_num_threads(threads)
    try:
        _seconds(left, right)  # with what is paid once
        begun, fastest = time.perf_counter(), float("inf")
        while time.perf_counter() - begun < _PEAK_SECONDS:
            fastest = min(fastest, _seconds(left, right))
    finally:
        torch.set_num_threads(before)
    return 2.0 * size**3 / fastest


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    """That a product takes."""
    started = time.perf_counter()
    left @ right
    if left.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _cpu_has_bf16() -> bool:
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
