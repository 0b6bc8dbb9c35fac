"""Bytes that are no plain file (standard input, what an archive holds), put aside within bounds so that a reader can take them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from autoft.data.table import Table
from autoft.errors import DataError

BLOCK = 1 << 20
"""Bytes read at a time."""
SHARE_OF_MEMORY = 0.25
"""A table takes several times the room of its file."""
WITHOUT_KNOWLEDGE = 4 << 30
"""The bound in bytes where the system does not tell its memory."""


def most_bytes() -> int:
    """The largest content that is put aside."""
    try:
        return int(SHARE_OF_MEMORY * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return WITHOUT_KNOWLEDGE


def read_aside(blocks: Iterable[bytes], shown: str, name: str, read: Callable[[Path], Table]) -> Table:
    """The table that `read` makes of the content `blocks`, which it gets as a file called `name` in a temporary folder.

    In the table and in errors the file is called `shown`, in hints `name`. Raises DataError: nothing in it, more than `most_bytes`,
    or what `read` says.
    """
    with TemporaryDirectory(prefix="autoft-") as folder:
        path = Path(folder) / name
        if not _write(blocks, path, shown):
            raise DataError(f"{shown} is empty: it has 0 bytes", hint="give a header line and a row for each example")
        try:
            table = read(path)
        except DataError as error:
            hint = None if error.hint is None else error.hint.replace(str(path), name)
            raise DataError(error.message.replace(str(path), shown), hint=hint) from error
    notes = tuple(f"{Path(shown).name}: {note.removeprefix(f'{name}: ')}" for note in table.notes)
    return replace(table, origin=shown, notes=notes)


def _write(blocks: Iterable[bytes], path: Path, shown: str) -> int:
    limit, size = most_bytes(), 0
    with path.open("wb") as file:
        for block in blocks:
            size += len(block)
            if size > limit:
                what = f"{shown} holds more than {limit / 1e9:.1f} GB, a quarter of this machine's memory"
                raise DataError(what, hint="give a part of its rows")
            file.write(block)
    return size
