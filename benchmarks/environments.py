"""Environments of the peers' own: made once, outside of what is measured."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from autoft.sources.cache import cache_folder

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
SETFIT = ("setfit==1.2.0", "sentence-transformers>=6.2,<6.3")


def home() -> Path:
    """Where the benchmarks keep what they make once: splits, models and environments."""
    return cache_folder() / "benchmarks"


def setfit_python() -> Path:
    """The interpreter of an environment with SetFit and the libraries that `constraints.txt` pins for autoft too."""
    return python_with("setfit", SETFIT)


def python_with(name: str, packages: Sequence[str], *, pinned: bool = True) -> Path:
    """The interpreter of an environment with these packages, under autoft's own pins unless they cannot be had together."""
    wanted = "\n".join((*packages, *([CONSTRAINTS.read_text(encoding="utf-8")] if pinned else [])))
    folder = home() / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    python, made = folder / "bin" / "python", folder / ".made"
    if not made.exists():
        sys.stdout.write(f"making an environment for {name} in {folder}\n")
        sys.stdout.flush()
        pins = ["--constraint", str(CONSTRAINTS)] if pinned else []
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", *pins, *packages], check=True)
        made.touch()
    return python
