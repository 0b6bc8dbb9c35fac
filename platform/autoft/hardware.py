"""What this machine has, told without torch."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoft.interfaces.model import Limits
from autoft.runtime.session import available_cores

FASTER = 1.1
"""A speed that is no more than so many times another is the same."""

_LOOKS = "GOMP_SPINCOUNT"
"""Of GNU's OpenMP, which torch brings along on Linux."""
_IDLE = 0.9
"""A machine on which products get so much of the processors' time has nothing else to do."""


@dataclass(frozen=True)
class _Measured:
    """Of products on all cores: floating-point operations a second of the fastest one, and how much of the processors' time they got."""

    flops: float
    share: float


_measured: list[_Measured] = []


def cores() -> int:
    """Processors this process may use: its affinity, and the quota of its container (cgroup v2) where there is one."""
    return available_cores()


def wait_briefly() -> dict[str, str]:
    """Have the threads of torch's matrix products wait for one another by sleeping, after so many looks, instead of by looking on for as
    long as their share of the time lasts. Before torch is imported; what the user has set stays. The variables, for other processes.

    Where something else runs on the machine, a thread that looks on keeps away the very thread it waits for, and a thousand looks are
    enough; where nothing does, to be woken costs more than five thousand (docs/benchmarks.md, `benchmarks/waiting.py`).
    """
    if not {_LOOKS, "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ[_LOOKS] = "5000" if _first().share >= _IDLE else "1000"
    return {name: os.environ[name] for name in (_LOOKS, "OMP_WAIT_POLICY") if name in os.environ}


def gpus() -> int:
    """NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible."""
    present = [device for device in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", device.name)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return len(present)
    return min(len(present), len([name for name in visible.split(",") if name.strip() and name.strip() != "-1"]))


def free_memory() -> int:
    """Bytes that can be had without swapping, within the limit of the container, if any."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    return free if limit is None or used is None else max(0, min(free, limit - used))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def matmul_flops() -> float:
    """Speed of single-precision matrix products in numpy, floating-point operations a second on all cores (takes about 0.15 s, once).

    The fastest of several products counts, so that a passing load does not.
    """
    _first()
    return max(one.flops for one in _measured)


def _first() -> _Measured:
    if not _measured:
        _measured.append(_products(0.15))
    return _measured[0]


def look_again(seconds: float) -> bool:
    """Measure that speed once more, for so many seconds: one of a busy moment seems several times lower than it is. Whether it is higher by
    more than a tenth, and counts from now on."""
    before = matmul_flops()
    _measured.append(_products(seconds))
    return matmul_flops() > FASTER * before


def _products(seconds: float) -> _Measured:
    size = 768
    left = np.ones((size, size), dtype=np.float32)
    left @ left
    begun, spent, fastest = time.perf_counter(), time.process_time(), float("inf")
    while time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        left @ left
        fastest = min(fastest, time.perf_counter() - started)
    share = (time.process_time() - spent) / (time.perf_counter() - begun) / cores()
    return _Measured(2.0 * size**3 / fastest, share)


def training_flops() -> float:
    """The speed at which a transformer trains on the whole machine, floating-point operations a second.

    Measured on processors: about that of numpy's single-precision products where there is bfloat16, half of it elsewhere. A GPU is
    assumed at 5e13, an eighth of what an A100 can do at best; that figure was not measured.
    """
    if gpus():
        return 5e13 * gpus()
    return matmul_flops() * (1.0 if has_bfloat16() else 0.5)


def has_bfloat16() -> bool:
    """Whether the processor multiplies matrices in bfloat16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def limits(seconds: float | None) -> Limits:
    """The limits of a run with `seconds` to spend."""
    return Limits(memory=free_memory(), threads=cores(), gpus=gpus(), seconds=seconds, flops=training_flops())


def processor() -> str:
    """The processor's name, or its kind where the system gives it no name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def system() -> str:
    """The operating system, its version and architecture."""
    return platform.platform()


def describe() -> dict[str, object]:
    """For run.json and the report."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": cores(),
        "memory": free_memory(),
        "gpus": gpus(),
        "system": system(),
        "python": platform.python_version(),
    }
