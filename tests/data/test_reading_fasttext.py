from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.errors import DataError
from autoft_plugins.readers import READERS


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_a_text_behind_its_label(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.txt", "__label__neg Came late, and broke.\n\n__label__pos  Works\twell \n"), READERS)
    assert dict(table.columns) == {"text": ["Came late, and broke.", "Works\twell"], "label": ["neg", "pos"]}


def test_several_labels(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.txt", "__label__a __label__b both\n__label__b one\n"), READERS)
    assert table["label"] == [["a", "b"], ["b"]]


def test_a_line_without_a_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: the line is no text behind a label") as caught:
        read_table(written(tmp_path / "a.txt", "__label__a fine\n__label__b\n"), READERS)
    assert "__label__NAME" in (caught.value.hint or "")


def test_other_text_files_are_tables(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.txt", "text,label\n__label__ is a mark,a\nfine,b\n"), READERS)
    assert table.names == ("text", "label")
