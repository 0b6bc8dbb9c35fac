"""CSV, TSV and their kin: encoding, delimiter, quoting and header line are recognised, and a file that is not whole is refused."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoft.data.numerals import may_be_thousands
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.charset import Charset, recognise

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200
_STATED = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
"""The first line with which Excel is told the delimiter."""
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LONGEST_CELL = 2**31 - 1
_INTEGER = re.compile(r"\s*[+-]?(0|[1-9]\d{0,17})\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)


@dataclass(frozen=True)
class Dialect:
    """How cells are parted. `quoting` False takes quotes as plain characters; `escape` is a backslash or None."""

    delimiter: str
    skip_blanks: bool = False
    quoting: bool = True
    escape: str | None = None

    def rows(self, lines: Iterator[str]) -> Any:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE,
            skipinitialspace=self.skip_blanks,
            escapechar=self.escape,
            doublequote=self.escape is None,
            strict=True,
        )


class Delimited:
    """`.csv`, `.tsv`, `.tab`, `.txt`."""

    name = "csv"
    summary = "CSV and TSV: comma, semicolon, tab or bar; UTF-8, UTF-16, GB18030, Latin-1"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".tab", ".txt")

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        csv.field_size_limit(_LONGEST_CELL)
        charset = recognise(path)
        dialect = _recognise_dialect(path, charset)
        rows, dialect, notes = _read_rows(path, charset, dialect)
        if not rows:
            raise DataError(f"{path} is empty: it holds no text", hint="give a file with a header line and a row for each example")
        notes = [note for note in (charset.note, *notes) if note]
        names, has_header, name_notes = header(rows)
        body = rows[1:] if has_header else rows
        if not body:
            raise DataError(f"{path} holds a header and no rows: {', '.join(names)}", hint="add a row for each example")
        columns = dict(zip(names, map(_typed, zip(*body, strict=True)), strict=True))
        return Table(columns, str(path), tuple(f"{path.name}: {note}" for note in (*notes, *name_notes)))


def _lines(path: Path, charset: Charset) -> Iterator[str]:
    """A first line that states the delimiter comes as a blank one, so that lines keep their numbers."""
    with path.open(encoding=charset.codec, newline="") as file:
        first = file.readline()
        yield "\n" if _STATED.fullmatch(first) else first
        yield from file


def _stated(path: Path, charset: Charset) -> str | None:
    with path.open(encoding=charset.codec, newline="") as file:
        found = _STATED.fullmatch(file.readline())
    return found[1] if found else None


def _recognise_dialect(path: Path, charset: Charset) -> Dialect:
    """The delimiter that parts the first rows most evenly, in as many cells as the first of them has."""
    stated = _stated(path, charset) or ("\t" if path.suffix.lower() in (".tsv", ".tab") else None)
    sample = list(itertools.islice(_lines(path, charset), 4 * SAMPLE_ROWS))
    best = max((Dialect(one) for one in ((stated,) if stated else DELIMITERS)), key=lambda one: _evenness(one, sample))
    spaced = replace(best, skip_blanks=True)
    opened = re.compile(rf"{re.escape(best.delimiter)} +\"")
    if any(map(opened.search, sample)) and _evenness(spaced, sample) >= _evenness(best, sample):
        return spaced
    return best


def _evenness(dialect: Dialect, sample: Sequence[str]) -> tuple[bool, float, int]:
    widths: list[int] = []
    try:
        for row in itertools.islice(dialect.rows(iter(sample)), SAMPLE_ROWS):
            if row:
                widths.append(len(row))
    except csv.Error:
        # The sample may end within a quoted cell; what was read before it counts.
        pass
    if not widths:
        return (False, 0.0, 0)
    return (widths[0] > 1, widths.count(widths[0]) / len(widths), widths[0])


def _read_rows(path: Path, charset: Charset, dialect: Dialect) -> tuple[list[list[str]], Dialect, list[str]]:
    """The rows of the whole file, all of one width. Where quotes do not close, the file may mean them otherwise: by backslashes, or
    in a tab-separated file not at all; that holds only if it then reads without a fault."""
    others = [(replace(dialect, escape="\\"), "a backslash before a quote is read as an escape")]
    if dialect.delimiter == "\t":
        others.append((replace(dialect, quoting=False), "quotes are read as plain characters"))
    try:
        rows = _whole(path, charset, dialect)
        if dialect.delimiter != "\t" or not any("\n" in cell for row in rows for cell in row):
            return rows, dialect, []
        fault = None
    except DataError as error:
        fault = error
    for other, note in others if fault else others[1:]:
        try:
            if fault and other.escape and not any('\\"' in line for line in _lines(path, charset)):
                continue
            return _whole(path, charset, other), other, [note]
        except DataError:
            continue
    if fault:
        raise fault
    return rows, dialect, []


def _whole(path: Path, charset: Charset, dialect: Dialect) -> list[list[str]]:
    reader = dialect.rows(_lines(path, charset))
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in reader if row)
    except csv.Error as error:
        raise _broken_quoting(path, charset, dialect, error) from error
    if len(set(map(len, rows))) > 1:
        return _evened(path, charset, dialect)
    return rows


def _broken_quoting(path: Path, charset: Charset, dialect: Dialect, error: csv.Error) -> DataError:
    """Names the line on which the row begins that could not be read to its end."""
    reader = dialect.rows(_lines(path, charset))
    start = 1
    try:
        for _ in reader:
            start = reader.line_num + 1
    except csv.Error:
        pass
    if "unexpected end" in str(error):
        what = "a quote is opened in the row that begins here and never closed"
    else:
        what = f"broken quoting in the row that begins here ({error})"
    return DataError(f"{path}, line {start}: {what}", hint='write a quote within a quoted cell as "" and close each quoted cell')


def _evened(path: Path, charset: Charset, dialect: Dialect) -> list[list[str]]:
    """The rows of a file whose rows have unequal widths: blank lines and empty cells past the last column are dropped."""
    reader = dialect.rows(_lines(path, charset))
    rows: list[list[str]] = []
    width, start = 0, 1
    for row in reader:
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in row):
            continue
        width = width or len(row)
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) != width:
            parted = _NAMES[dialect.delimiter]
            raise DataError(
                f"{path}, line {line}: the row has {len(row)} cells, the first one has {width} (parted by {parted})",
                hint=f'put a cell that holds a {parted}, a quote or a line break in quotes: "like, this"',
            )
        rows.append(row)
    return rows


def header(rows: Sequence[Sequence[str]]) -> tuple[list[str], bool, list[str]]:
    """Names, whether the first row gave them, and remarks. A first row whose cell comes again below it, or is long, is data;
    0, 1, ... is the header that pandas writes for columns without names."""
    first, below = rows[0], rows[1 : SAMPLE_ROWS * 5]
    numbered = [cell for cell in first if cell] == [str(i) for i in range(len([cell for cell in first if cell]))]
    again = not numbered and any(cell.strip() and any(row[i] == cell for row in below) for i, cell in enumerate(first))
    if again or any(len(cell) > 100 for cell in first):
        names = [f"column_{i + 1}" for i in range(len(first))]
        return names, False, [f"the first line is no header; the columns are called {', '.join(names)}"]
    names, notes = [], []
    for i, cell in enumerate(first):
        plain = " ".join(cell.split()) or f"column_{i + 1}"
        name = next(one for one in itertools.chain([plain], (f"{plain}_{k}" for k in itertools.count(2))) if one not in names)
        if name != plain:
            notes.append(f"column {i + 1} is called {plain!r} like another before it; it is read as {name!r}")
        names.append(name)
    return names, True, notes


def _typed(cells: Sequence[str]) -> list[Any]:
    """Whole numbers, numbers or strings, whichever fits all cells; an empty cell is None. Numbers with leading zeros are names,
    and those whose points may part thousands are left for the one who learns them to ask."""
    sample = [cell for cell in cells[:200] if cell]
    if sample and all(map(_FLOAT.fullmatch, sample)):
        filled = [cell for cell in cells if cell]
        if all(map(_INTEGER.fullmatch, filled)):
            return [int(cell) if cell else None for cell in cells]
        if all(map(_FLOAT.fullmatch, filled)) and not may_be_thousands(filled):
            numbers = [float(cell) if cell else None for cell in cells]
            if all(number is None or math.isfinite(number) for number in numbers):
                return numbers
    return [cell or None for cell in cells]
