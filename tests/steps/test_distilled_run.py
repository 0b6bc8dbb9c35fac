"""A whole run whose winner teaches one of its own layers, which is served."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from autoft.interfaces.result import Result
from autoft.loading import load_predictor
from autoft.runtime.bundle import open_bundle
from conftest import WORDS
from support import result_of
from worked_examples import autoft, settings


def rows(many: int) -> list[tuple[str, str]]:
    generator = np.random.default_rng(2)
    found = []
    for number in range(many):
        word = WORDS[int(generator.integers(10, 15) if number % 2 else generator.integers(15, 20))]
        filler = [WORDS[i] for i in generator.integers(20, len(WORDS), 3)]
        found.append((" ".join([*filler, word, WORDS[int(generator.integers(0, 9))]]), "praise" if number % 2 else "blame"))
    return list(dict.fromkeys(found))


def test_the_student_is_served_and_told_of(tiny_source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("autoft.workflow.fit_baseline", lambda *_: None)  # else it wins, and has no layers
    with Path("data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows(540)])
    source = tiny_source("bert").folder
    autoft("run", "data.csv", "--models", f"full:{source}", "--distill", "layers=1")
    result = Result.model_validate(result_of(tmp_path / "out"))
    name = f"distilled:{source.name}-layers-1"
    told = result.distilled
    assert (told.candidate, told.teacher) == (name, f"full:{source.name}")
    assert (result.best.candidate, result.best.trial) == (name, told.trial)
    assert result.best.validation == told.validation
    assert result.verified.passed
    assert f"It learned from full:{source.name}: f1_macro" in result.verdict
    bundle = open_bundle(tmp_path / "out" / "bundle")
    assert bundle.manifest.provenance.teacher == told.teacher
    assert json.loads((bundle.folder / "config.json").read_text())["num_hidden_layers"] == 1
    assert json.loads((tmp_path / "out" / "model" / "config.json").read_text())["num_hidden_layers"] == 1
    with (tmp_path / "out" / "leaderboard.csv").open() as file:
        board = {row["trial"]: row for row in csv.DictReader(file)}
    assert board[str(told.trial)]["candidate"] == name
    assert float(board[str(told.trial)]["value"]) == told.validation["f1_macro"]
    assert load_predictor(bundle.folder, threads=1).predict(["the phone is superb"])[0]["label"] in ("praise", "blame")
    assert not (tmp_path / "out" / "cache").exists()
