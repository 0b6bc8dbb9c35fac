"""Excel workbooks, by openpyxl: the first sheet that holds a table, under its header row."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoft.data.aside import most_bytes
from autoft.data.names import listed
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.delimited import SAMPLE_ROWS, header
from autoft_plugins.readers.libraries import need

_ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
_Row = tuple[Any, ...]


class Excel:
    """Values as Excel stored them: nothing is calculated, and a formula without a stored value is refused."""

    name = "excel"
    summary = "Excel workbooks"
    suffixes: tuple[str, ...] = (".xlsx", ".xlsm")

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        _check_size(path)
        name, others, rows = _first_sheet(path)
        if any(cell is None for row in rows for cell in row):
            _refuse_formulas(path, name)
        notes = [f"the sheet {name!r} is read, {listed(others, 6)} not; to read another, put it first"] if others else []
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows[: SAMPLE_ROWS * 5]]
        titles = _titles(rows, texts)
        if titles:
            above = listed((next(filter(None, row)) for row in texts[:titles]), 3)
            notes.append(f"above the header there is {above}, which is no row")
        rows, texts = rows[titles:], texts[titles:]
        names, has_header, said = header(texts)
        body = rows[1:] if has_header else rows
        if not body:
            raise DataError(f"{path}, sheet {name!r}: there is a header and no rows: {', '.join(names)}", hint="add a row for each example")
        errors = sum(cell in _ERRORS for row in body for cell in row if isinstance(cell, str))
        if errors:
            notes.append(f"{errors} cells hold an error such as #N/A and are read as empty")
        columns = {column: _column(cells) for column, cells in zip(names, zip(*body, strict=True), strict=True)}
        return Table(columns, str(path), tuple(f"{path.name}: {note}" for note in (*notes, *said)))


def _open(path: Path, **how: bool) -> Any:
    openpyxl = need("openpyxl", path, "excel")
    try:
        return openpyxl.load_workbook(path, read_only=True, **how)
    except Exception as error:
        # The library raises whatever its parsers raise: a damaged file is the user's to mend, not a bug.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is no Excel workbook: {reason}", hint="save it again as .xlsx, or give CSV") from error


def _check_size(path: Path) -> None:
    """A workbook is an archive: what it says it unpacks to must fit."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is no Excel workbook: {error}", hint="save it again as .xlsx, or give CSV") from error
    if size > most_bytes():
        what = f"{path} unpacks to {size / 1e9:.1f} GB, more than a quarter of this machine's memory"
        raise DataError(what, hint="give a part of its rows")


def _titles(rows: Sequence[_Row], texts: Sequence[Sequence[str]]) -> int:
    """How many rows at the top are headings of the sheet: one cell each, above a row of names that has a cell in each column."""
    alone = next((number for number, row in enumerate(rows) if sum(cell is not None for cell in row) > 1), 0)
    if not alone or len(rows) < alone + 2:
        return 0
    named = all(isinstance(cell, str) for cell in rows[alone])
    return alone if named and header(texts[alone:])[1] else 0


def _first_sheet(path: Path) -> tuple[str, list[str], list[_Row]]:
    """The name of the first sheet with several rows and columns, else of the first that holds something; the names of others that do; the
    cells of its rows."""
    book = _open(path, data_only=True)
    try:
        found: tuple[str, list[_Row]] | None = None
        filled = []
        is_table = False
        for sheet in book.worksheets:
            if is_table:
                filled += [sheet.title] if _holds_something(sheet) else []
                continue
            rows = _rows(sheet)
            filled += [sheet.title] if rows else []
            is_table = len(rows) > 1 and len(rows[0]) > 1
            if rows and (found is None or is_table):
                found = (sheet.title, rows)
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is a damaged workbook: {reason}", hint="save it again as .xlsx, or give CSV") from error
    finally:
        book.close()
    if found is None:
        raise DataError(f"{path} is empty: no sheet of it holds a cell", hint="give a header row and a row for each example")
    name, rows = found
    return name, [title for title in filled if title != name], rows


def _rows(sheet: Any) -> list[_Row]:
    """Rows that hold something, as wide as the widest. What the file says of the sheet's extent is often wrong."""
    sheet.reset_dimensions()
    rows: list[_Row] = [row for row in sheet.iter_rows(values_only=True) if any(not _is_blank(cell) for cell in row)]
    used = [any(i < len(row) and not _is_blank(row[i]) for row in rows) for i in range(max(map(len, rows), default=0))]
    kept = [i for i, one in enumerate(used) if one]
    return [tuple(row[i] if i < len(row) and not _is_blank(row[i]) else None for i in kept) for row in rows]


def _holds_something(sheet: Any) -> bool:
    sheet.reset_dimensions()
    return any(not _is_blank(cell) for row in sheet.iter_rows(values_only=True) for cell in row)


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _refuse_formulas(path: Path, name: str) -> None:
    """A program that is not Excel may write a formula without its value, which would read as an empty cell."""
    values, formulas = _open(path, data_only=True), _open(path)
    try:
        pairs = (_reset(book[name]).iter_rows() for book in (values, formulas))
        for row, written in zip(*pairs, strict=True):
            for cell, formula in zip(row, written, strict=True):
                if cell.value is None and formula.value is not None and formula.data_type == "f":
                    what = f"{path}, sheet {name!r}, cell {formula.coordinate}: a formula whose value was not stored"
                    raise DataError(what, hint="open it in Excel and save it, or paste values over the formulas")
    finally:
        values.close()
        formulas.close()


def _reset(sheet: Any) -> Any:
    sheet.reset_dimensions()
    return sheet


def _column(cells: Sequence[Any]) -> list[Any]:
    """Errors and blanks as None; where strings stand beside numbers, all are strings, as in a CSV file."""
    cells = [None if isinstance(cell, str) and cell in _ERRORS else cell for cell in cells]
    if any(isinstance(cell, str) for cell in cells):
        return [str(cell) if isinstance(cell, int | float | datetime.date | datetime.time) else cell for cell in cells]
    return cells
