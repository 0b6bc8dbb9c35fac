from __future__ import annotations

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers import READERS

openpyxl = pytest.importorskip("openpyxl")
ROWS = [["text", "label"], ["good", "pos"], ["bad", "neg"]]


def write(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def read(path: Path) -> Table:
    return read_table(path, READERS)


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_sheet(tmp_path):
    table = read(write(tmp_path / "a.xlsx", one=ROWS))
    assert dict(table.columns) == {"text": ["good", "bad"], "label": ["pos", "neg"]}
    assert table.notes == ()


def test_the_first_sheet_that_holds_something_is_read_and_said(tmp_path):
    table = read(write(tmp_path / "a.xlsx", empty=[], blank=[[" "]], data=ROWS, other=[["x"]], last=[]))
    assert list(table["text"]) == ["good", "bad"]
    assert table.notes == ("a.xlsx: the sheet 'data' is read, 'other' not; to read another, put it first",)


def test_a_sheet_of_remarks_is_passed_over(tmp_path):
    table = read(write(tmp_path / "a.xlsx", info=[["Exported by Bob"], ["in May"]], data=ROWS, more=[["x"]]))
    assert list(table["text"]) == ["good", "bad"]
    assert table.notes == ("a.xlsx: the sheet 'data' is read, 'info', 'more' not; to read another, put it first",)


def test_a_title_above_the_header(tmp_path):
    table = read(write(tmp_path / "a.xlsx", one=[["Feedback of 2024"], [], *ROWS, ["fine", "pos"]]))
    assert dict(table.columns) == {"text": ["good", "bad", "fine"], "label": ["pos", "neg", "pos"]}
    assert table.notes == ("a.xlsx: above the header there is 'Feedback of 2024', which is no row",)
    unnamed = read(write(tmp_path / "b.xlsx", one=[["text", None], ["good", "pos"], ["bad", "neg"], ["fine", "pos"]]))
    assert list(unnamed["text"]) == ["good", "bad", "fine"]


def test_values_keep_their_kinds(tmp_path):
    day = datetime.datetime(2024, 3, 5, 10)
    rows = [["n", "x", "when", "yes", "mixed", "gap"], [1, 0.5, day, True, 1, None], [2, 3, day, False, "b", "#N/A"]]
    table = read(write(tmp_path / "a.xlsx", one=[*rows, [3, 1, day, True, 2.5, "c"]]))
    assert dict(table.columns) == {
        "n": [1, 2, 3],
        "x": [0.5, 3, 1],
        "when": [day] * 3,
        "yes": [True, False, True],
        "mixed": ["1", "b", "2.5"],
        "gap": [None, None, "c"],
    }
    assert "1 cells hold an error such as #N/A" in table.notes[0]


def test_blank_rows_and_columns_are_dropped(tmp_path):
    rows = [[], ["text", None, "label"], ["good", None, "pos"], [], ["bad", " ", "neg"], [None, None, None]]
    table = read(write(tmp_path / "a.xlsx", one=rows))
    assert dict(table.columns) == {"text": ["good", "bad"], "label": ["pos", "neg"]}


def test_a_sheet_without_header(tmp_path):
    table = read(write(tmp_path / "a.xlsx", one=[["good thing", "pos"], ["bad thing", "neg"], ["fine", "pos"]]))
    assert table.names == ("column_1", "column_2")
    assert "no header" in table.notes[0]


def test_a_formula_without_value_is_refused_with_its_cell(tmp_path):
    path = write(tmp_path / "a.xlsx", one=[*ROWS, ["fine", "=CONCAT(B2)"]])
    assert "sheet 'one', cell B4: a formula" in refusal(path).message


def test_what_is_no_workbook(tmp_path):
    (tmp_path / "a.xlsx").write_text("text,label\n")
    assert "no Excel workbook" in refusal(tmp_path / "a.xlsx").message
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("x.txt", "x")
    assert "no Excel workbook" in refusal(tmp_path / "b.xlsx").message
    assert "no sheet" in refusal(write(tmp_path / "c.xlsx", one=[], two=[])).message
    assert "no rows: text, label" in refusal(write(tmp_path / "d.xlsx", one=ROWS[:1])).message


def test_a_damaged_sheet(tmp_path):
    whole, broken = write(tmp_path / "a.xlsx", one=ROWS), tmp_path / "b.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)
    assert "damaged" in refusal(broken).message


def test_a_workbook_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("autoft_plugins.readers.excel.most_bytes", lambda: 1000)
    assert "quarter of this machine's memory" in refusal(write(tmp_path / "a.xlsx", one=ROWS)).message


def test_without_the_library(tmp_path, monkeypatch):
    path = write(tmp_path / "a.xlsx", one=ROWS)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert refusal(path).hint == "pip install 'autoft[excel]'"
