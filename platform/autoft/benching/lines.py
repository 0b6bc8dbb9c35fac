"""What the processes that are measured from outside say: lines of JSON. Imports nothing heavy, since its own start is measured."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

_STATUS = Path("/proc/self/status")


def answering() -> TextIO:
    """Where the lines go. What else is printed in this process goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def answer(lines: TextIO, value: Mapping[str, Any]) -> None:
    """A line."""
    lines.write(json.dumps(value) + "\n")
    lines.flush()


def resident() -> tuple[int, int] | None:
    """Bytes of this process that are in memory, now and at most so far; None on a system without /proc."""
    try:
        fields = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8", errors="replace").splitlines() if ":" in line)
        now, most = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return now, most
