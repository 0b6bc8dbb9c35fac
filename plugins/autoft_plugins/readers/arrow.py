"""What Parquet files and `datasets` folders have in common: class names beside class numbers, and the library they need."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from autoft.errors import DataError


def need(library: str, path: Path) -> ModuleType:
    """The library, imported now. Raises DataError with the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise DataError(f"{path} needs the library {library}, which is not installed", hint="pip install 'autoft[train]'") from error


def named(values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Class numbers by their names; a number that has none (-1 stands for no class) is None."""
    return [names[value] if isinstance(value, int) and 0 <= value < len(names) else None for value in values]


def with_class_names(columns: Mapping[str, Sequence[Any]], names: Mapping[str, Sequence[str]]) -> dict[str, Sequence[Any]]:
    """`columns` with the classes of those in `names` written out."""
    return {name: named(values, names[name]) if name in names else values for name, values in columns.items()}
