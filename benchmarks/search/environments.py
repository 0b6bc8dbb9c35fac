"""Environments of the peers' own: made once, outside of what is measured."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from autoft.sources.cache import cache_folder

SETFIT = ("setfit==1.2.0", "sentence-transformers>=6.2,<6.3")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def home() -> Path:
    """Where the benchmark keeps what it makes once: splits and environments."""
    return cache_folder() / "benchmarks"


def setfit_python() -> Path:
    """The interpreter of an environment with SetFit and the libraries that `constraints.txt` pins for autoft too."""
    wanted = "\n".join((*SETFIT, CONSTRAINTS.read_text(encoding="utf-8")))
    folder = home() / f"setfit-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    python, made = folder / "bin" / "python", folder / ".made"
    if not made.exists():
        sys.stdout.write(f"making an environment for SetFit in {folder}\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--constraint", str(CONSTRAINTS), *SETFIT], check=True)
        made.touch()
    return python
