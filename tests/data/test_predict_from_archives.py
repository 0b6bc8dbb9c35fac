"""`autoft predict --input` takes what the readers take."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from autoft.cli.main import main
from small_bundle import make_bundle


def predict(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["autoft", "predict", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_gzip_and_standard_input_give_what_the_plain_file_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bundle(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    content = b"id,text\n1,good phone\n2,awful case\n"
    Path("a.csv").write_bytes(content)
    Path("a.csv.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    for source, target in (("a.csv", "1.csv"), ("a.csv.gz", "2.csv"), ("-", "3.csv")):
        predict(monkeypatch, "bundle", "--input", source, "--output", target)
    assert Path("1.csv").read_text().splitlines()[1].startswith("1,good phone,")
    assert Path("1.csv").read_text() == Path("2.csv").read_text() == Path("3.csv").read_text()
