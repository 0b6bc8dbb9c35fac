"""Libraries that only some formats need."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from autoft.errors import DataError


def need(library: str, path: Path, extra: str = "train") -> ModuleType:
    """The library, imported now. Raises DataError with the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        hint = f"pip install 'autoft[{extra}]'"
        raise DataError(f"{path} needs the library {library}, which is not installed", hint=hint) from error
