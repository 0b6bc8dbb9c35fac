"""The reader keeps its contract, and reads what was written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from autoft.errors import DataError
from autoft.scaffold.templates.reader.plugin import SqliteReader
from autoft.testing import check_reader


def write(path: Path, *tables: str) -> Path:
    connection = sqlite3.connect(path)
    for table in (table.replace('"', '""') for table in tables):
        connection.execute(f'CREATE TABLE "{table}" (text TEXT, label TEXT)')
        connection.executemany(f'INSERT INTO "{table}" VALUES (?, ?)', [("a fine phone", "good"), ("a dull case", "bad")])
    connection.commit()
    connection.close()
    return path


def test_it_keeps_the_contract_of_a_reader(tmp_path: Path) -> None:
    check_reader(SqliteReader(), write(tmp_path / "reviews.sqlite", "reviews"), ["text", "label"])


def test_it_reads_what_was_written(tmp_path: Path) -> None:
    table = SqliteReader().read(write(tmp_path / "reviews.sqlite", 'my "reviews"'))
    assert list(table["label"]) == ["good", "bad"]


def test_two_tables_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="first, second"):
        SqliteReader().read(write(tmp_path / "two.sqlite", "second", "first"))
