"""Memory that is given back to the system comes again page by page, each to be cleared first."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Of glibc's malloc.h, see mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}
# Once told, glibc adapts its thresholds no more: what it comes to by itself in a process that frees large blocks.
_AFTERWARDS = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25, _MMAP_MAX: 65536}


@contextmanager
def kept_memory(device: torch.device) -> Iterator[None]:
    """Within: what is freed on a processor stays with the process, for its next step, which needs as much again; given back at the end.
    Where the C library is not glibc all is as it was."""
    library = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    mallopt = getattr(library, "mallopt", None)
    if library is None or mallopt is None:
        yield
        return
    for name, value in _NEVER.items():
        mallopt(name, value)
    try:
        yield
    finally:
        for name, value in _AFTERWARDS.items():
            mallopt(name, value)
        library.malloc_trim(0)
