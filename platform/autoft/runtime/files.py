"""Files of any size, row by row. What is written of them is `answers`."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoft.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
_LONGEST_CELL = 2**31 - 1
_BLOCK = 2**20


@dataclass(frozen=True)
class RowFile:
    """Rows as they are read; `names` are the columns of the first. `total` is about how many there are, where that is known, `types` a
    `pyarrow.Schema` of them where the file has one."""

    names: tuple[str, ...]
    rows: Iterator[Mapping[str, Any]]
    total: int | None = None
    types: Any = None


def stream_file(path: Path, wanted: Collection[str]) -> RowFile | None:
    """The rows of a plain CSV, TSV or JSON-lines file in UTF-8 that has one of the `wanted` columns.

    None for any other file: it may be fine, but a reader has to see the whole of it. Raises DataError naming the line of JSON lines.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, *LINES) or not path.is_file():
        return None
    ends = _ends_of_lines(path)
    if ends is None:
        return None
    if suffix in DELIMITERS and not _is_plain(path, DELIMITERS[suffix]):
        return None
    rows = _lines_of_json(path) if suffix in LINES else _delimited(path, DELIMITERS[suffix])
    first = next(rows, None)
    if first is None or not any(name in first for name in wanted):
        return None
    return RowFile(tuple(first), itertools.chain([first], rows), max(1, ends - (suffix in DELIMITERS)))


def _ends_of_lines(path: Path) -> int | None:
    """How many lines the file has, one that is not ended among them; None where it is not UTF-8."""
    ends, last = 0, b"\n"
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
                ends, last = ends + block.count(b"\n"), block[-1:]
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return ends + (last != b"\n")


def _is_plain(path: Path, delimiter: str) -> bool:
    """Whether the whole file has one reading. What quotes mean in a tab-separated file, or behind a space, only a reader can tell."""
    if delimiter == "\t":
        return not _holds(path, b'"')
    try:
        for row in _delimited(path, delimiter):
            if any(cell.startswith(" ") and cell.lstrip(" ").startswith('"') for cell in row.values()):
                return False
    except DataError:
        return False
    return True


def _holds(path: Path, character: bytes) -> bool:
    with path.open("rb") as file:
        return any(character in block for block in iter(lambda: file.read(_BLOCK), b""))


def _delimited(path: Path, delimiter: str) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            if len(set(names)) < len(names) or not all(name.strip() for name in names):
                return
            for cells in reader:
                if cells and len(cells) != len(names):
                    raise DataError(f"{path}, line {reader.line_num}: the row has {len(cells)} cells, the header has {len(names)}")
                if cells:
                    yield dict(zip(names, cells, strict=True))
        except csv.Error as error:
            hint = 'write a quote within a quoted cell as "" and close each quoted cell'
            raise DataError(f"{path}, line {reader.line_num}: broken quoting ({error})", hint=hint) from None


def _lines_of_json(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: no JSON object ({error})", hint="write one object a line") from None
            if not isinstance(row, Mapping):
                raise DataError(f"{path}, line {number}: no JSON object", hint="write one object a line")
            yield row


def column_name(name: str, taken: Collection[str]) -> str:
    """Of an answer's column beside those of the row."""
    while name in taken:
        name = f"predicted_{name}"
    return name
