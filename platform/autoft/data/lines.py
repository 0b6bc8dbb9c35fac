"""Texts that stand alone, without a header or a label: to be asked about, never to learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from autoft.data.table import Table
from autoft.errors import DataError

ENDINGS = ("", ".txt")
WORD_ENDINGS = (".conll", ".bio", ".iob", ".iob2")


class _Reader(Protocol):
    # `autoft.interfaces.reader.Reader` as far as it is used here; that layer lies above this one.
    def matches(self, path: Path) -> bool: ...

    def read(self, path: Path) -> Table: ...


class Lines:
    """A reader of files in UTF-8 that are no table with one of the columns `wanted`: a row for each line that is not blank, in one column
    called `column`. With `words`, a file of one word a line is a list of words for each block between blank lines.

    `readers` are asked first: what they find a wanted column in is theirs, and so is a fault in it.
    """

    name = "lines"
    summary = "texts without a header"
    suffixes: tuple[str, ...] = ENDINGS

    def __init__(self, column: str, wanted: Collection[str], words: bool, readers: Sequence[_Reader]) -> None:
        self.column, self.wanted, self.words, self.readers = column, wanted, words, readers

    def matches(self, path: Path) -> bool:
        ending = path.suffix.lower()
        return path.is_file() and (ending in ENDINGS or (self.words and ending in WORD_ENDINGS))

    def read(self, path: Path) -> Table:
        refusal: DataError | None = None
        table: Table | None = None
        try:
            table = next(reader for reader in self.readers if reader.matches(path)).read(path)
        except (DataError, StopIteration) as error:
            refusal = error if isinstance(error, DataError) else None
        if table is not None and (any(name in table for name in self.wanted) or _is_table(path, table)):
            return table
        rows = self._rows(path)
        if rows is not None:
            each = "block of words" if rows and isinstance(rows[0], list) else "line"
            note = f"{path.name}: there is no column {self.column!r}; each {each} is read as a text"
            return Table({self.column: rows}, str(path), (note,))
        if table is not None:
            return table
        raise refusal or DataError(f"{path} is no text in UTF-8", hint=f"give a table with a column {self.column!r}")

    def _rows(self, path: Path) -> list[Any] | None:
        """None where the file is something else: JSON, a table with a wanted column, words with their tags."""
        try:
            lines = path.read_bytes().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            return None
        filled = [line.strip() for line in lines if line.strip()]
        if not filled or "\0" in filled[0] or "".join(filled[:2]).replace(" ", "").startswith(("{", "[{")):
            return None
        if not set(self.wanted).isdisjoint(_cells(filled[0])):
            return None
        sure = path.suffix.lower() in WORD_ENDINGS
        blocks = _blocks(lines) if self.words and all(len(line.split()) == 1 for line in filled) else []
        if len(blocks) > 1 or (sure and blocks):
            return blocks
        return None if sure else filled


def _is_table(path: Path, table: Table) -> bool:
    """Whether what was read as several columns, or as lists, is no prose: that has a blank behind a comma, and cells have none."""
    if any(isinstance(values[0], list) for values in table.columns.values()):
        return True
    first = next(line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip())
    return len(table.names) > 1 and not any(f"{sign} " in first for sign in ",;|")


def _cells(line: str) -> list[str]:
    for delimiter in ";\t|":
        line = line.replace(delimiter, ",")
    return [cell.strip(" \"'") for cell in line.split(",")]


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]
