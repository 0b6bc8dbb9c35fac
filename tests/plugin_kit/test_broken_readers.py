"""Readers with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoft.data.table import Table
from autoft.errors import DataError
from autoft.hookspecs import hookimpl
from autoft.plugins import Loaded
from autoft.scaffold.templates.reader.plugin import SqliteReader
from autoft.testing import check_reader
from broken import but, finds

READERS: dict[str, dict[str, Any]] = {
    "suffixes is '.sqlite'": {"suffixes": ".sqlite"},
    "takes a file of no format": {"matches": lambda self, path: True},
    "does not take sample.sqlite": {"matches": lambda self, path: False},
    "read raised ValueError": {"read": lambda self, path: int("x")},
    "does not name the file": {"read": lambda self, path: (_ for _ in ()).throw(DataError("no"))},
    "finds no rows": {"read": lambda self, path: Table({"text": []}, str(path))},
    "has no origin": {"read": lambda self, path: Table({"text": ["a"]})},
    "gives the columns": {"read": lambda self, path: Table({"words": ["a"]}, str(path))},
    "read changes sample.sqlite": {"read": lambda self, path: (path.write_bytes(b"x" * 9), Table({"text": ["a"]}, str(path)))[1]},
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """An SQLite file of one row."""
    import sqlite3

    path = tmp_path / "sample.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE one (text TEXT)")
    connection.execute("INSERT INTO one VALUES ('a')")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("sentence", READERS)
def test_readers(sentence: str, sample: Path) -> None:
    finds(lambda: check_reader(but(SqliteReader, **READERS[sentence]), sample, ["text"]), sentence)


def test_a_reader_is_told_which_one_takes_its_files_before_it(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def package(reader: Any) -> Loaded:
        def autoft_register_readers() -> list[Any]:
            return [reader]

        return Loaded(reader.name, f"{reader.name} 1.0", SimpleNamespace(autoft_register_readers=hookimpl(autoft_register_readers)))

    own = SqliteReader()
    monkeypatch.setattr("autoft.catalog.load_installed", lambda: [package(but(SqliteReader, name="greedy")), package(own)])
    finds(lambda: check_reader(own, sample, ["text"]), "greedy takes sample.sqlite before it")
