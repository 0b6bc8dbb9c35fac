from __future__ import annotations

import gzip
import importlib
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers import READERS

CSV = b"text,label\ngood,pos\nbad,neg\n"
COLUMNS = {"text": ["good", "bad"], "label": ["pos", "neg"]}
CONTENTS = {
    "a.csv": CSV,
    "a.tsv": CSV.replace(b",", b"\t"),
    "a.json": json.dumps(COLUMNS).encode(),
    "a.jsonl": b'{"text": "good", "label": "pos"}\n{"text": "bad", "label": "neg"}\n',
    "a": CSV,
}


def zstd() -> object:
    return pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def packed(folder: Path, name: str, content: bytes, ending: str) -> Path:
    path = folder / f"{name}{ending}"
    if ending == ".gz":
        path.write_bytes(gzip.compress(content))
    elif ending == ".zst":
        path.write_bytes(zstd().compress(content))
    else:
        return zipped(path, {name: content})
    return path


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def read(path: Path) -> Table:
    return read_table(path, READERS)


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert "/autoft-" not in caught.value.message + (caught.value.hint or "/autoft-"), "no temporary name is shown"
    return caught.value


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst"])
@pytest.mark.parametrize("name", [name for name in CONTENTS if name != "a"])
def test_what_is_read_compressed(tmp_path, name, ending):
    path = packed(tmp_path, name, CONTENTS[name], ending)
    table = read(path)
    assert dict(table.columns) == COLUMNS
    assert table.origin == str(path)


def test_the_content_decides_without_an_inner_ending(tmp_path):
    for content in CONTENTS.values():
        assert dict(read(packed(tmp_path, "data", content, ".gz")).columns) == COLUMNS
    conll = packed(tmp_path, "ner.bio", b"Anna B-PER\n\nleft O\n", ".gz")
    assert list(read(conll)["tokens"]) == [["Anna"], ["left"]]


def test_notes_name_the_archive(tmp_path):
    table = read(packed(tmp_path, "a.csv", "text,label\ncafé,x\nthé,y\n".encode("latin-1"), ".gz"))
    assert table.notes == ("a.csv.gz: not UTF-8: read as Latin-1",)


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst"])
def test_faults_within_name_archive_and_line(tmp_path, ending):
    error = refusal(packed(tmp_path, "a.csv", b"text,label\ngood,pos\nx,y,z\n", ending))
    assert "line 3: the row has 3 cells" in error.message
    error = refusal(packed(tmp_path, "b.csv", "text,label\nочень хорошо,a\n".encode("cp1251"), ending))
    assert "iconv -f WINDOWS-1251 -t UTF-8 unpacked.csv" in (error.hint or "")


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst"])
def test_damaged_archives(tmp_path, ending):
    whole = packed(tmp_path, "a.csv", CSV + b"".join(b"words %d,x\n" % (i * 7919) for i in range(3000)), ending)
    for number, content in enumerate((b"no archive at all", whole.read_bytes()[:-2000], whole.read_bytes()[:30])):
        broken = tmp_path / f"broken{number}.csv{ending}"
        broken.write_bytes(content)
        error = refusal(broken)
        assert "cannot be unpacked" in error.message
        assert "compress it again" in (error.hint or "")


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst"])
def test_an_empty_file_within(tmp_path, ending):
    assert "empty" in refusal(packed(tmp_path, "a.csv", b"", ending)).message


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst"])
def test_bombs_are_refused(tmp_path, ending, monkeypatch):
    monkeypatch.setattr("autoft_plugins.readers.compressed.ALWAYS", 1 << 20)
    path = packed(tmp_path, "a.csv", b"text,label\n" + b"a,b\n" * 2_000_000, ending)
    assert path.stat().st_size < 40_000
    assert "200 times its size" in refusal(path).message


def test_more_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("autoft.data.aside.most_bytes", lambda: 10)
    assert "quarter of this machine's memory" in refusal(packed(tmp_path, "a.csv", CSV, ".gz")).message


def test_zip_with_things_beside(tmp_path):
    beside = {"data/": b"", "data/a.csv": CSV, "__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "README.txt": b"hello", "figure.png": b"x"}
    assert dict(read(zipped(tmp_path / "a.zip", beside)).columns) == COLUMNS


def test_zip_must_hold_one_data_file(tmp_path):
    error = refusal(zipped(tmp_path / "two.zip", {"train.csv": CSV, "test.csv": CSV}))
    assert "2 data files: 'train.csv', 'test.csv'" in error.message
    assert "holds 'a.pdf'" in refusal(zipped(tmp_path / "none.zip", {"a.pdf": b"x"})).message
    assert "holds nothing" in refusal(zipped(tmp_path / "bare.zip", {})).message


def test_a_path_in_a_zip_is_never_written(tmp_path):
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "a.zip", {"../../outside.csv": CSV})
    assert dict(read(path).columns) == COLUMNS
    assert {one.name for one in tmp_path.rglob("*")} == {"in", "a.zip"}


def test_an_encrypted_zip(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.csv": CSV})
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path).message


def test_what_is_not_read_compressed(tmp_path):
    error = refusal(packed(tmp_path, "a.parquet", b"PAR1", ".gz"))
    assert "'.parquet'" in error.message
    assert ".csv, .tsv" in (error.hint or "")


def test_zst_without_the_library(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: real("nothing.of.that.name") if "zstd" in name else real(name))
    assert refusal(path).hint == "pip install 'autoft[zstd]'"


class Piped(io.TextIOWrapper):
    """What standard input is in a pipe."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


@pytest.mark.parametrize("content", [*CONTENTS.values(), json.dumps([{"text": "good", "label": "pos"}]).encode()])
def test_standard_input(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", Piped(content))
    table = read(Path("-"))
    assert table.names == ("text", "label")
    assert table["text"][0] == "good"
    assert table.origin == "stdin"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "stdin is empty"),
        (b"text,label\na,b\nx\n", "stdin, line 3"),
        (b'{"text": "a"}\n{"text": \n', "stdin, line 2"),
        (b'[{"text": "a"}, 7]', "stdin: element 2"),
        (bytes(range(256)) * 9, "stdin is no text"),
        (b"Anna B-PER\n\n" + b"left O\n" * 9 + b"x\n", "stdin, line 12"),
    ],
)
def test_bad_standard_input(monkeypatch, content, said):
    monkeypatch.setattr("sys.stdin", Piped(content))
    with pytest.raises(DataError) as caught:
        read(Path("-"))
    assert said in caught.value.message


def test_a_terminal_is_no_data(monkeypatch):
    terminal = Piped(b"")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(DataError, match="terminal"):
        read(Path("-"))
