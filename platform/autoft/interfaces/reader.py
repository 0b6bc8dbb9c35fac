"""Readers turn a file or a folder into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from autoft.data.table import Table


@runtime_checkable
class Reader(Protocol):
    """The plugin: a kind of file.

    `suffixes` are the endings as the user sees them in messages, e.g. (".csv",); a kind of folder is told in words.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> bool:
        """Whether this reader takes the path, judged by its name or its first bytes: it is asked about every path that a user gives. The
        first that does reads it: readers of `--plugin` files are asked first, then those of installed packages by the names of these, then
        autoft's own. `compressed`, which is one of the last, unpacks what autoft's own readers of text take and nothing else: who wants
        `.rec.gz` takes that path here and unpacks it."""
        ...

    def read(self, path: Path) -> Table:
        """A column for each column of the file, values as they are there: numbers stay numbers, an absent one is None. `Table.origin` is
        the path, and `Table.notes` what the user should be told of how it was read. Raises DataError naming the file and the line."""
        ...
