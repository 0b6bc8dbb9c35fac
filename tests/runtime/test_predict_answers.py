"""`autoft predict` for answers that are not one class of several: on the screen, as JSON, and in cells."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import task_bundles
from autoft.cli.predict import _words, command
from autoft.errors import DataError
from autoft.runtime.answers import AnswerFile


def predict(*arguments: object) -> list[str]:
    result = CliRunner().invoke(command, [*map(str, arguments), "--plugin", str(task_bundles.PLUGIN)], catch_exceptions=True)
    if result.exception is not None:
        raise result.exception
    return result.stdout.splitlines()


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return task_bundles.pair_score(tmp_path / "pairs")


def test_what_a_task_adds_is_shown_with_as_many_digits_as_scores() -> None:
    answer = {"label": "good", "score": 0.75, "likely": 0.8313143641840357, "parts": {"a": [1e-5 / 3, 2]}, "sure": True, "why": "short"}
    assert _words(answer) == 'good  0.750  likely=0.831  parts={"a": [3.33e-06, 2]}  sure=true  why=short'


def test_labels(tmp_path: Path) -> None:
    folder = task_bundles.multi_label(tmp_path / "labels")
    assert predict(folder, "great", "superb but broken", "nothing") == [
        "good 0.953  great",
        "bad 0.893, good 0.893  superb but broken",
        "(none)  nothing",
    ]
    (answer,) = map(json.loads, predict(folder, "--json", "great"))
    assert (answer["labels"], list(answer["scores"])) == (["good"], ["bad", "good"])
    (tmp_path / "in.csv").write_text("review,labels\nsuperb but broken,?\nnothing,?\n")
    predict(folder, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["review", "labels", "predicted_labels", "score_bad", "score_good"]
    assert (first["predicted_labels"], second["predicted_labels"]) == ("bad|good", "")
    assert float(second["score_good"]) == 0.5


def test_entities(tmp_path: Path) -> None:
    folder = task_bundles.entities(tmp_path / "names")
    (line,) = predict(folder, "so Ada Lovelace met Babbage")
    assert line == "Ada Lovelace (NAME 0.770), Babbage (NAME 0.810)  so Ada Lovelace met Babbage"
    assert predict(folder, "nobody") == ["(none)  nobody"]
    (tmp_path / "in.jsonl").write_text('{"review": ["we", "met", "Ada"]}\n')
    assert predict(folder, "--input", tmp_path / "in.jsonl") == ["Ada (NAME 0.810)  we met Ada"]
    (tmp_path / "in.csv").write_text("review\nwe met Ada\nnobody\n")
    predict(folder, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    ((entity,), none) = json.loads(first["entities"]), json.loads(second["entities"])
    assert (entity["word"], entity["start"], entity["end"]) == ("Ada", 7, 10)
    assert none == []


def test_a_score(pairs: Path, tmp_path: Path) -> None:
    assert predict(pairs, '{"text": "a b", "text_pair": "a b"}')[0].startswith("5.000  ")
    (tmp_path / "in.tsv").write_text("premise\thypothesis\na b\ta c\n")
    predict(pairs, "--input", tmp_path / "in.tsv", "--output", tmp_path / "out.tsv")
    assert predict(pairs, "--input", tmp_path / "in.tsv") == ["1.667  a b | a c"]
    header, row = (tmp_path / "out.tsv").read_text().splitlines()
    assert header == "premise\thypothesis\tscore"
    assert float(row.split("\t")[2]) == pytest.approx(5 / 3)


def test_two_texts_are_a_pair(pairs: Path) -> None:
    lines = predict(pairs, "a b", "a b", "a b", "c d")
    assert [line.split()[0] for line in lines] == ["5.000", "0.000"]
    assert lines[1].endswith("  a b | c d")
    mixed = predict(pairs, "--json", '{"premise": "a", "hypothesis": "b"}', "a b", "b a")
    assert [json.loads(line)["score"] for line in mixed] == [0.0, 5.0]


@pytest.mark.parametrize(
    "texts", [("a b",), ("a b", "c d", "e f"), ("3",), ('["a", "b"]',), ('{"premise": "a", "hypothesis": "b"}', "a b")]
)
def test_half_a_pair_is_refused(pairs: Path, texts: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="this model takes premise, hypothesis") as caught:
        predict(pairs, *texts)
    assert caught.value.hint == 'autoft predict BUNDLE "premise" "hypothesis"'


def write(path: Path, row: dict[str, str], answer: dict[str, Any]) -> None:
    file = AnswerFile(path, list(row), {})
    file.write([(row, answer)])
    file.finish()


def test_a_generated_text_stands_in_a_cell_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "out.csv", {"text": "long"}, {"text": "short,\nand sweet"})
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["text", "predicted_text"], ["long", "short,\nand sweet"]]


def test_labels_with_the_sign_that_parts_them_become_a_list(tmp_path: Path) -> None:
    answer = {"labels": ["a|b", "c"], "scores": {"a|b": 0.9, "c": 0.8}}
    write(tmp_path / "out.csv", {"text": "x"}, answer)
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert json.loads(row["labels"]) == ["a|b", "c"]
    assert row["score_a|b"] == "0.9"
