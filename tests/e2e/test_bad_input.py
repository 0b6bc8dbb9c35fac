"""Every line of bad input: a clear message, exit code 2, no output folder."""

from __future__ import annotations

import csv
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from autoft.cli.main import main
from support import reviews

ROWS = [f"{text},{label}" for text, label in reviews(40)]
CSV = "\n".join(["text,label", *ROWS]) + "\n"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command; it must refuse with exit code 2 and leave no folder. Returns what it said."""
    monkeypatch.chdir(tmp_path)

    def refused(*arguments: str) -> str:
        before = {path for path in tmp_path.rglob("*") if path.is_dir()}
        monkeypatch.setattr("sys.argv", ["autoft", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2, said.err
        assert {path for path in tmp_path.rglob("*") if path.is_dir()} == before
        assert "Traceback" not in said.err
        return said.err

    return refused


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", ["data.csv", "empty"]),
        (b"text,label\n", ["data.csv", "no row"]),
        (b'text,label\n"never closed,a\nb,c\n', ["data.csv", "quot"]),
        (b"text,label\n" + b"".join(b"some words %d,same\n" % i for i in range(40)), ["one class", "same"]),
        ((CSV + "a lone one,rare\n").encode(), ["rare", "one row"]),
        (b"text,label\n" + b"".join(b"words here %d,%s\n" % (i, b"ab"[i % 2 : i % 2 + 1]) for i in range(5)), ["5 rows", "at least"]),
        (b"text,label\n" + b"".join(b",%s\n" % (b"ab"[i % 2 : i % 2 + 1]) for i in range(40)), ["empty"]),
    ],
    ids=["empty file", "header only", "broken quoting", "one class", "a class with one row", "5 rows", "text all empty"],
)
def test_a_file_that_cannot_be_learned_from(tmp_path: Path, call: Callable[..., str], content: bytes, wanted: list[str]) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    said = call("run", "data.csv", "--models", "linear")
    assert all(word in said for word in wanted), said
    assert "Hint:" in said or len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("task", "columns", "wrong", "column"),
    [
        ("pair-classification", {"premise": "{i} a", "hypothesis": "{i} b", "label": "{ab}"}, "", "hypothesis"),
        ("pair-score", {"sentence1": "{i} a", "sentence2": "{i} b", "score": "{i}.5"}, "", "sentence1"),
        ("text-regression", {"text": "some words {i}", "rating": "{i}.5"}, "NaN", "rating"),
        ("text-regression", {"text": "some words {i}", "rating": "{i}.5"}, "good", "rating"),
        ("multi-label", {"text": "some words {i}", "spam": "{01}", "rude": "{01}", "odd": "{01}"}, "2", "rude"),
        ("multi-label", {"text": "some words {i}", "tags": "['{ab}', 'c']"}, "[0.25, 0.5]", "tags"),
    ],
)
def test_a_cell_that_a_task_cannot_take(
    tmp_path: Path, call: Callable[..., str], task: str, columns: dict[str, str], wrong: str, column: str
) -> None:
    rows = [
        {name: cell.replace("{i}", str(i)).replace("{ab}", "ab"[i % 2]).replace("{01}", str(i % 2)) for name, cell in columns.items()}
        for i in range(40)
    ]
    rows[6][column] = wrong
    with (tmp_path / "data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)
    labels = ",".join(name for name in columns if name not in ("text", "premise", "hypothesis", "sentence1", "sentence2"))
    said = call("run", "data.csv", "--task", task, "--label", labels)
    assert f"data.csv, row 7, column '{column}'" in said
    assert "Hint:" in said


def test_missing_file_offers_the_nearest(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "reviews.csv").write_text(CSV)
    assert "reviews.csv" in call("run", "review.csv")


def test_label_column_absent_offers_the_nearest(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    assert "'label'" in call("run", "data.csv", "--label", "lable")


def test_two_columns_that_could_be_the_label(tmp_path: Path, call: Callable[..., str]) -> None:
    lines = ["review,colour,size"] + [
        f"{text},{'red' if i % 3 else 'blue'},{'big' if i % 2 else 'small'}" for i, (text, _) in enumerate(reviews(40))
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    said = call("run", "data.csv")
    assert "colour" in said
    assert "size" in said
    assert "--label" in said


def test_a_folder_that_is_no_data_set(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "folder").mkdir()
    assert "folder" in call("run", "folder")


def test_unknown_model_offers_the_nearest(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    assert "'linear'" in call("run", "data.csv", "--models", "linaer")
    assert "all-MiniLM-L6-v2" in call("run", "data.csv", "--models", "full:all-MiniLM-L6-v3")


def test_no_source_at_hand_and_no_network(tmp_path: Path, call: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    for name, folder in (("AUTOFT_CACHE", "cache"), ("HF_HOME", "hub")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    said = call("run", "data.csv", "--offline")
    assert "autoft models fetch" in said
    assert "linear" in said


def test_budget_banana(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    said = call("run", "data.csv", "--budget", "banana", "--seed", "-3")
    assert "banana" in said
    assert "5m" in said
    assert "--seed" in said, "all bad settings are said at once"


def test_an_output_folder_that_holds_another_run(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    assert "another run" in call("run", "data.csv", "--output", "out")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole bundle, made by hand."""
    from small_bundle import make_bundle

    return make_bundle(tmp_path / "bundle")


def test_port_in_use(bundle: Path, call: Callable[..., str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = call("serve", str(bundle), "--port", port)
    assert port in said
    assert "--port" in said


def test_a_bundle_that_is_none(tmp_path: Path, call: Callable[..., str]) -> None:
    (tmp_path / "folder").mkdir()
    assert "autoft.json" in call("predict", "folder", "text")


def test_a_bundle_whose_file_was_changed(bundle: Path, call: Callable[..., str]) -> None:
    changed = next(iter(json.loads((bundle / "autoft.json").read_text())["files"]))
    with (bundle / changed).open("ab") as file:
        file.write(b" ")
    said = call("predict", str(bundle), "text")
    assert Path(changed).name in said
    assert "sha256" in said


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "latin-1"])
def test_other_encodings_are_read_and_said(tmp_path: Path, encoding: str) -> None:
    from autoft.catalog import Catalog
    from autoft.data.reading import read_table

    word = {"gb18030": "这个相机非常好用我很喜欢质量也不错", "latin-1": "très bon café à côté", "utf-16": "très bon café 好"}[encoding]
    text = "text,label\n" + "".join(f"{word} {i},{'a' if i % 2 else 'b'}\n" for i in range(40))
    (tmp_path / "data.csv").write_bytes(text.encode(encoding))
    table = read_table(tmp_path / "data.csv", list(Catalog.build().readers.values()))
    assert table["text"][0] == f"{word} 0"
    assert any(name in " ".join(table.notes).upper() for name in (encoding.upper(), "CP1252", "WINDOWS-1252"))
