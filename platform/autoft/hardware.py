"""What this machine has, told without torch."""

from __future__ import annotations

import os
import platform
import re
import time
from functools import cache
from pathlib import Path

import numpy as np

from autoft.interfaces.model import Limits


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> int:
    """NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible."""
    present = [device for device in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", device.name)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return len(present)
    return min(len(present), len([name for name in visible.split(",") if name.strip() and name.strip() != "-1"]))


def free_memory() -> int:
    """Bytes that can be had without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


@cache
def matmul_flops() -> float:
    """Speed of single-precision matrix products in numpy, floating-point operations a second on all cores (takes about 0.1 s)."""
    size = 768
    left = np.ones((size, size), dtype=np.float32)
    left @ left
    started, products = time.perf_counter(), 0
    while products < 3 or time.perf_counter() - started < 0.1:
        left @ left
        products += 1
    return 2.0 * size**3 * products / (time.perf_counter() - started)


def limits(seconds: float | None) -> Limits:
    """The limits of a run with `seconds` to spend."""
    return Limits(memory=free_memory(), threads=cores(), gpus=gpus(), seconds=seconds, flops=matmul_flops())


def describe() -> dict[str, object]:
    """For run.json and the report."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": cores(),
        "memory": free_memory(),
        "gpus": gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
