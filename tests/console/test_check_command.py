"""`autoft check`: what a run would make of a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autoft.cli.check import command
from autoft.cli.main import main
from autoft.cli.run import command as run
from autoft.errors import DataError

HEAVY = ("torch", "transformers", "ray", "datasets", "pandas", "sklearn", "onnx", "optuna", "onnxruntime")
GOOD = ["it works as it should", "my sister likes it a lot", "cheap and very quiet", "came a day early", "would buy it again"]
BAD = ["it broke on day two", "nobody answers my mails", "loud and far too dear", "came a week late", "would not buy it again"]


def write(path: Path, rows: list[tuple[str, ...]], header: str = "id,review,label") -> Path:
    path.write_text("\n".join([header, *(",".join((str(i), *row)) for i, row in enumerate(rows))]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """50 praises, 4 blames; one row comes twice, one with both labels, one has no label."""
    rows = [(f"{GOOD[i % 5]} since {i} weeks", "praise") for i in range(50)] + [(f"{BAD[i]} after {i} weeks", "blame") for i in range(4)]
    extra = [rows[0], (rows[1][0], "blame"), ("no label here at all", "")]
    return write(tmp_path / "reviews.csv", rows + extra)


def check(*arguments: str | Path) -> str:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def as_json(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(check(*arguments, "--json"))
    return found


def test_all_that_is_known_as_json(reviews: Path) -> None:
    found = as_json(reviews, "--seed", "3")
    assert found["task"] == "text-classification"
    assert found["columns"] == {"text": ["review"], "label": ["label"]}
    assert found["not_used"] == ["id"]
    assert found["rows"] == {"read": 57, "used": 56, "left_out": 1}
    assert sum(found["splits"].values()) == 56
    assert found["splits"]["train"]
    assert found["splits"]["test"]
    assert (found["splits"]["validation"], found["folds"]) == (0, 5)
    assert found["classes"] == {"blame": 5, "praise": 51}
    assert found["lengths"]["text"]["longest"] == len("my sister likes it a lot since 46 weeks")
    assert (found["language"], found["metric"], found["max_length"]) == ("en", "f1_macro", 64)
    assert found["command"] == f"autoft run {reviews} --seed 3"
    said = " ".join(found["warnings"])
    assert "2 of 56 rows repeat the input of another" in said
    assert "1 input has different answers in different rows" in said
    assert "'praise' has 51 rows, 'blame' has 5" in said
    assert any("1 of 57 rows" in note for note in found["notes"])


def test_for_the_eye(reviews: Path) -> None:
    lines = check(reviews).splitlines()
    assert lines[0].split(maxsplit=1) == ["Task", "text-classification"]
    bars = {line.split()[0]: line.split()[-1] for line in lines if line.startswith(("praise", "blame"))}
    assert len(bars["praise"]) == 30
    assert 1 <= len(bars["blame"]) <= 4
    assert sum(line.startswith("Warning: ") for line in lines) == 4
    assert lines[-1] == f"  autoft run {reviews}"
    assert "blame" not in lines[2]


def test_classes_that_differ_in_case_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [(f"{(GOOD + BAD)[i % 10]} {i}", ["yes", "Yes", "no"][i % 3]) for i in range(30)])
    assert any("'Yes' and 'yes' differ in case or blanks alone" in one for one in as_json(path)["warnings"])


def test_the_same_flags_as_a_run(reviews: Path) -> None:
    found = as_json(reviews, "--text", "review", "--column", "label=label", "--task", "text-classification", "--test", reviews)
    assert found["splits"]["test"] == 56
    assert found["command"] == f"autoft run {reviews} --text review --task text-classification --test {reviews} --column label=label"
    assert any("test rows stand in the data to learn from" in note for note in found["notes"])
    grouped = as_json(reviews, "--group", "id")
    assert grouped["command"].endswith("--group id")
    assert "id" not in grouped["not_used"]
    assert {parameter.name for parameter in command.params} <= {parameter.name for parameter in run.params}


def test_numbers_and_what_else_it_could_be(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [(f"{(GOOD + BAD)[i % 10]} {i}", str(i % 5 + 1)) for i in range(30)], "id,review,stars")
    found = as_json(path)
    assert found["classes"] == {str(star): 6 for star in range(1, 6)}
    assert [(one["task"], one["flags"]) for one in found["others"]] == [("text-regression", "--task text-regression")]
    assert "It could be read otherwise:" in check(path)
    number = as_json(path, "--task", "text-regression")
    assert number["classes"] == {}
    assert (number["numbers"]["lowest"], number["numbers"]["median"], number["numbers"]["highest"]) == (1.0, 3.0, 5.0)
    assert "lowest 1" in check(path, "--task", "text-regression")


def test_many_classes_are_not_all_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [(f"{(GOOD + BAD)[i % 10]} {i}", f"topic {i % 60}") for i in range(360)])
    said = check(path)
    assert "60 classes" in said
    assert "and 40 more with 6 to 6 each" in said


def test_entities_are_counted_by_kind(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ada", "met", "Bo", "Ra", str(i)], "ner_tags": ["B-PER", "O", "B-LOC", "I-LOC", "O"]} for i in range(12)]
    rows += [{"tokens": ["nobody", str(i)], "ner_tags": ["O", "O"]} for i in range(3)]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = as_json(path)
    assert found["task"] == "token-classification"
    assert found["classes"] == {"PER": 12, "LOC": 12}
    said = check(path)
    assert "2 kinds, 24 entities in 15 texts, 3 of them without any" in said
    assert "Judged by  f1: 1 where every entity is found" in said


def test_labels_are_counted_by_row(tmp_path: Path) -> None:
    rows = [{"text": f"{GOOD[i % 5]} {i}", "tags": ["quiet", "cheap"] if i % 3 else ["cheap"]} for i in range(12)]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = as_json(path)
    assert (found["task"], found["classes"]) == ("multi-label", {"cheap": 12, "quiet": 8})


def test_a_guess_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [(f"{(GOOD + BAD)[i % 10]} {i}", "xy"[i % 2]) for i in range(30)], "id,foo,bar")
    assert any("is a guess" in note for note in as_json(path)["notes"])
    assert not any("is a guess" in note for note in as_json(path, "--label", "bar")["notes"])


def test_what_is_refused_ends_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"{(GOOD + BAD)[i % 10]} {i}", "ab"[i % 2], "xyz"[i % 3]) for i in range(30)]
    path = write(tmp_path / "data.csv", rows, "id,review,shape,colour")
    monkeypatch.setattr("sys.argv", ["autoft", "check", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert "'shape' and 'colour' could both be the label" in said.err
    with pytest.raises(DataError, match="there is no file"):
        check(tmp_path / "absent.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.csv"]


def test_nothing_heavy_is_imported(reviews: Path) -> None:
    code = (
        "import sys\nfrom autoft.cli.main import group\n"
        f"group.main(['check', {str(reviews)!r}], standalone_mode=False)\n"
        f"print('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rsplit("LOADED", 1)[1].split() == []
