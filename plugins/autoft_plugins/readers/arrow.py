"""What Parquet files and `datasets` folders have in common: class names beside class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def named(values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Class numbers by their names; a number that has none (-1 stands for no class) is None."""
    return [names[value] if isinstance(value, int) and 0 <= value < len(names) else None for value in values]


def with_class_names(columns: Mapping[str, Sequence[Any]], names: Mapping[str, Sequence[str]]) -> dict[str, Sequence[Any]]:
    """`columns` with the classes of those in `names` written out."""
    return {name: named(values, names[name]) if name in names else values for name, values in columns.items()}
