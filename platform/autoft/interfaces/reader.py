"""Readers turn a file or a folder into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from autoft.data.table import Table


@runtime_checkable
class Reader(Protocol):
    """The plugin: a kind of file."""

    name: str
    summary: str
    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> bool:
        """Whether this reader takes the path; the first that does reads it."""
        ...

    def read(self, path: Path) -> Table:
        """Raises DataError naming the file and the line."""
        ...
