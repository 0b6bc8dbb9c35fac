"""Files of any size, row by row: in, and out again with the answers beside."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from autoft.errors import DataError
from autoft.runtime.predictor import TRUNCATED, well_formed

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
_LONGEST_CELL = 2**31 - 1
_BLOCK = 2**20


@dataclass(frozen=True)
class RowFile:
    """Rows as they are read; `names` are the columns of the first."""

    names: tuple[str, ...]
    rows: Iterator[Mapping[str, Any]]


def stream_file(path: Path, wanted: Collection[str]) -> RowFile | None:
    """The rows of a plain CSV, TSV or JSON-lines file in UTF-8 that has one of the `wanted` columns.

    None for any other file: it may be fine, but a reader has to see the whole of it. Raises DataError naming the line of JSON lines.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, *LINES) or not path.is_file() or not _is_utf8(path):
        return None
    if suffix in DELIMITERS and not _is_plain(path, DELIMITERS[suffix]):
        return None
    rows = _lines_of_json(path) if suffix in LINES else _delimited(path, DELIMITERS[suffix])
    first = next(rows, None)
    if first is None or not any(name in first for name in wanted):
        return None
    return RowFile(tuple(first), itertools.chain([first], rows))


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


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


def write_answers(path: Path, pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], names: Collection[str]) -> int:
    """Each row with all its columns and its answer's beside them, to CSV, TSV or JSON lines; returns the number of rows.

    An answer's column whose name the file has already is called `predicted_<name>`. In CSV, labels stand in one cell with | between them
    and beside them `score_<label>` for each label there is, spans stand in one cell as JSON, and the scores of the classes that were not
    chosen are left out. The file appears under its name once it is whole. Raises DataError.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, *LINES):
        raise DataError(
            f"--output {path}: a file ending in {path.suffix!r} cannot be written", hint=f"choose {', '.join((*DELIMITERS, *LINES))}"
        )
    aside = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with aside.open("w", encoding="utf-8", errors="replace", newline="") as file:
            write = _line_writer(file, names) if suffix in LINES else _cell_writer(file, names, DELIMITERS[suffix])
            for row, answer in pairs:
                write(row, answer)
                count += 1
        aside.replace(path)
    except OSError as error:
        raise DataError(f"--output {path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return count


_Write = Callable[[Mapping[str, Any], Mapping[str, Any]], None]


def _line_writer(file: IO[str], names: Collection[str]) -> _Write:
    def write(row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        taken = {*names, *row}
        file.write(json.dumps({**row, **{_column(name, taken): value for name, value in answer.items()}}, ensure_ascii=False) + "\n")

    return write


def _cell_writer(file: IO[str], names: Collection[str], delimiter: str) -> _Write:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    shown: list[str] = []

    def write(row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        answer = _flat(answer)
        if not shown:
            shown.extend(answer)
            writer.writerow([*names, *(_column(name, names) for name in shown)])
        unknown = next((name for name in row if name not in names), None)
        if unknown is not None:
            raise DataError(f"a row has the column {unknown!r}, which the first row lacks", hint="write JSON lines: --output answers.jsonl")
        writer.writerow([*(_cell(row.get(name)) for name in names), *(_cell(answer.get(name)) for name in shown)])

    return write


def _flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer has a place in cells: what all answers have."""
    flat = {name: value for name, value in answer.items() if name != TRUNCATED and not isinstance(value, Mapping)}
    if "labels" in answer and isinstance(answer.get("scores"), Mapping):
        flat["labels"] = _parted(answer["labels"])
        flat |= {f"score_{label}": score for label, score in answer["scores"].items()}
    return flat


def _parted(labels: Sequence[str]) -> str:
    """`a|b`, or a JSON list where a label holds the sign between them."""
    return json.dumps(labels, ensure_ascii=False) if any("|" in label for label in labels) else "|".join(labels)


def _column(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"predicted_{name}"
    return name


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | Mapping) else well_formed(value)
