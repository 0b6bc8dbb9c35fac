"""Answers that say whether they are sure."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import autoft
import task_bundles
from autoft.cli.predict import command
from autoft.errors import DataError
from autoft.loading import load_predictor
from autoft.runtime.schemas import complaint
from autoft.serving.app import create_app

TEXTS = ["great", "great and awful", "superb great lovely"]


def test_an_answer_is_sure_from_the_threshold_on(bundle: Path) -> None:
    plain = load_predictor(bundle, threads=1).predict(TEXTS)
    assert all("sure" not in answer for answer in plain)
    threshold = plain[0]["score"]
    assert plain[1]["score"] < threshold < plain[2]["score"]
    predictor = autoft.load(bundle, threads=1, abstain_below=threshold)
    answers = predictor.predict(TEXTS)
    assert [answer["sure"] for answer in answers] == [True, False, True]
    assert [{**answer, "sure": None} for answer in answers] == [{**answer, "sure": None} for answer in plain]
    schema = predictor.bundle.manifest.output_schema
    assert schema["properties"]["sure"] == {"type": "boolean"}
    assert complaint(schema["properties"]["sure"], answers[0]["sure"]) is None
    assert "sure" in schema["required"]


def test_the_command_marks_them(bundle: Path, tmp_path: Path) -> None:
    def predict(*arguments: object) -> str:
        result = CliRunner().invoke(command, [str(bundle), *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    shown = predict("--abstain-below", 0.9, *TEXTS).splitlines()
    assert ["sure=true" in line for line in shown] == [True, False, True]
    lines = predict("--abstain-below", 0.9, "--json", *TEXTS).splitlines()
    assert [json.loads(line)["sure"] for line in lines] == [True, False, True]
    (tmp_path / "asked.csv").write_text("\n".join(["review", *TEXTS]) + "\n")
    predict("--abstain-below", 0.9, "--input", tmp_path / "asked.csv", "--output", tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        assert [row["sure"] for row in csv.DictReader(file)] == ["True", "False", "True"]
    for odd in ("1.5", "-1", "often"):
        assert CliRunner().invoke(command, [str(bundle), "--abstain-below", odd, "great"]).exit_code == 2


def test_a_server_marks_them_and_says_so(bundle: Path) -> None:
    client = TestClient(create_app(load_predictor(bundle, threads=1, abstain_below=0.9), name="reviews"))
    answers = client.post("/predict", json={"inputs": TEXTS}).json()
    assert [answer["sure"] for answer in answers] == [True, False, True]
    assert client.get("/info").json()["output_schema"]["properties"]["sure"] == {"type": "boolean"}
    (ranked,) = client.post("/", json={"inputs": ["great and awful"]}).json()
    assert {name for one in ranked for name in one} == {"label", "score"}


def test_other_answers_have_nothing_to_abstain_by(tmp_path: Path) -> None:
    folder = task_bundles.multi_label(tmp_path / "labels")
    with pytest.raises(DataError, match="the answers of multi-label are not one class with its probability"):
        load_predictor(folder, threads=1, abstain_below=0.5)
