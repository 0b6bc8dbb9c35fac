"""A folder that holds the parts of a data set: the command that takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.errors import DataError
from autoft_plugins.readers import READERS


def hint(folder: Path) -> str | None:
    with pytest.raises(DataError, match="folder of parts") as caught:
        read_table(folder, READERS)
    return caught.value.hint


def test_files(tmp_path: Path) -> None:
    for name in ("test.csv", "train.csv", "dev.csv", "notes.md"):
        (tmp_path / name).write_text("text,label\na,b\n")
    where = tmp_path / "train.csv"
    assert hint(tmp_path) == f"autoft run {where} --validation {tmp_path / 'dev.csv'} --test {tmp_path / 'test.csv'}"


def test_folders_of_classes(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "good").mkdir(parents=True)
        (tmp_path / part / "good" / "1.txt").write_text("fine")
    assert hint(tmp_path) == f"autoft run {tmp_path / 'train'} --test {tmp_path / 'test'}"
