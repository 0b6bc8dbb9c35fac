"""Bad input in every format, as the user meets it: exit code 2, the file and the place, no output folder."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autoft.cli.main import main
from support import reviews

CSV = "text,label,user,day\n" + "".join(f"{text},{label},{i % 9},2024-01-{1 + i % 28:02d}\n" for i, (text, label) in enumerate(reviews(60)))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")

    def refused(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["autoft", "run", *arguments, "--models", "linear"])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == 2, said
        assert not (tmp_path / "runs").exists()
        assert "Traceback" not in said
        assert "Hint:" in said
        return " ".join(said.split())

    return refused


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.conll", b"Anna B-PER\n\nleft O O\n", ["a.conll, line 3", "3 columns", "first one has 2"]),
        ("a.xlsx", b"no workbook", ["a.xlsx is no Excel workbook"]),
        ("a.csv.gz", gzip.compress(CSV.encode() + b"one cell\n"), ["a.csv.gz, line 62", "1 cells"]),
        ("b.csv.gz", gzip.compress(CSV.encode())[:-9], ["b.csv.gz cannot be unpacked"]),
        ("c.zip", zipped("a.csv", "b.csv"), ["c.zip holds 2 data files", "'a.csv', 'b.csv'"]),
        ("d.jsonl.zip", zipped("d.jsonl"), ["d.jsonl.zip, line 1, column 1", "no JSON"]),
        ("unknown", bytes(range(256)), ["unknown is no text"]),
    ],
)
def test_a_file_that_is_refused(tmp_path, call, name, content, wanted):
    (tmp_path / name).write_bytes(content)
    said = call(name)
    assert all(word in said for word in wanted), said


def test_a_folder_of_mixed_content(tmp_path, call):
    for name in ("pos/1.txt", "neg/1.txt", "neg/scan.pdf"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text("words")
    assert "neg/scan.pdf" in call("data")


def test_standard_input_that_is_empty(call, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert "stdin is empty" in call("-")


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["--group", "usr"], ["data.csv", "no column 'usr'", "--group user"]),
        (["--time", "text"], ["data.csv, row 1", "'text' holds", "is no time"]),
        (["--group", "user", "--time", "day"], ["--group", "--time", "give one of them"]),
        (["--group", "text", "--text", "text"], ['--group is "text", which is the text, too']),
    ],
)
def test_columns_to_split_by(tmp_path, call, flags, wanted):
    (tmp_path / "data.csv").write_text(CSV)
    said = call("data.csv", *flags)
    assert all(word in said for word in wanted), said


def test_a_row_without_a_readable_time_is_named(tmp_path, call):
    (tmp_path / "data.csv").write_text(CSV.replace("2024-01-03", "03 Jan", 1))
    assert "data.csv, row 3: the time column 'day' holds '03 Jan'" in call("data.csv", "--time", "day")
