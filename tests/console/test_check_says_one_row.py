from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from autoft.cli.check import command
from autoft.data.names import counted


def test_one_row_is_one_row(tmp_path: Path) -> None:
    rows = [f"it {how} after {i} weeks of use,{label}" for i in range(30) for how, label in (("works", "good"), ("broke", "bad"))]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *rows, rows[0], "nobody knows,"]) + "\n", encoding="utf-8")
    said = " ".join(CliRunner().invoke(command, [str(path)], catch_exceptions=False).output.split())
    assert "1 of 61 rows repeats the input of another" in said
    assert "1 of 62 rows of" in said
    assert "lacks an input or a label and is left out" in said


def test_counted() -> None:
    assert [counted(1, "row"), counted(0, "row"), counted(2000, "class")] == ["1 row", "0 rows", "2,000 classes"]
