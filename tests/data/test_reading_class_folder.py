from __future__ import annotations

from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.errors import DataError
from autoft_plugins.readers import READERS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {"pos/1.txt": b"good", "pos/2.TXT": b"fine\r\nthing", "neg/1.txt": b"bad"}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_table(path, READERS)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_folder_for_each_class(folder):
    table = read_table(folder, READERS)
    assert dict(table.columns) == {"text": ["bad", "good", "fine\nthing"], "label": ["neg", "pos", "pos"]}
    assert table.notes == ()


def test_encodings_are_recognised_file_by_file(folder):
    (folder / "neg" / "2.txt").write_bytes("très déçu, café fermé".encode("latin-1"))
    (folder / "neg" / "3.txt").write_bytes("très déçu, hélas".encode("utf-16"))
    table = read_table(folder, READERS)
    assert list(table["text"])[1:3] == ["très déçu, café fermé", "très déçu, hélas"]
    assert set(table.notes) == {"data: 1 of 5 files not UTF-8: read as Latin-1", "data: 1 of 5 files read as UTF-16"}


def test_hidden_files_are_passed_over(folder):
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "pos" / ".swp").write_bytes(b"\0")
    (folder / ".git").mkdir()
    assert len(read_table(folder, READERS)) == 3


@pytest.mark.parametrize("name", ["urls.csv", "pos/picture.png", "neg/more/1.txt"])
def test_anything_else_is_refused_and_named(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    error = refusal(folder)
    assert repr(name.removesuffix("/1.txt")) in error.message
    assert "'neg', 'pos'" in error.message


def test_a_class_without_texts(folder):
    (folder / "neutral").mkdir()
    assert "'neutral' holds no .txt file" in refusal(folder).message


def test_a_file_that_is_no_text_is_named(folder):
    (folder / "pos" / "3.txt").write_bytes(bytes(range(256)))
    assert "pos/3.txt" in refusal(folder).message.replace("\\", "/")
