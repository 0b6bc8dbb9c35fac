"""A whole run whose winner is calibrated: the folder, the graph, the answers and what is told of it agree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.result import Result
from autoft.loading import load_predictor
from autoft.runtime.bundle import open_bundle
from autoft_plugins.models.linear import Linear
from report_page import Page
from support import result_of, reviews
from worked_examples import autoft, settings

TOPICS = {"camera": ("lens", "picture"), "phone": ("screen", "call"), "sound": ("speaker", "bass")}


def classes() -> list[tuple[str, str]]:
    return reviews(700)


def topics() -> list[tuple[str, str]]:
    """Any number of three topics a text, each rare, some of which no word tells: learned with weights, they are thought likelier than they
    are."""
    generator = np.random.default_rng(3)
    rows = []
    for number in range(900):
        has = {name: generator.random() < 0.15 for name in TOPICS}
        words = [str(generator.choice(TOPICS[name])) for name, there in has.items() if there != (generator.random() < 0.12)]
        rows.append((" ".join(["about", *words, "and", f"item {number}"]), "|".join(name for name, there in has.items() if there)))
    return rows


@pytest.mark.parametrize(("made", "method"), [(classes, "temperature"), (topics, "platt")])
def test_every_loader_gives_the_calibrated_answers(made, method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    with Path("data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *made()])
    autoft("run", "data.csv", "--task", "multi-label" if method == "platt" else "text-classification")
    result = Result.model_validate(result_of(tmp_path / "out"))
    found = result.calibration
    assert (found.method, found.folded) == (method, True), found
    assert found.rows == result.rows["validation"]
    assert found.ece_after < found.ece_before
    assert found.log_loss_after < found.log_loss_before
    assert (found.temperature is not None) == (method == "temperature")
    bundle = open_bundle(tmp_path / "out" / "bundle")
    reference = bundle.manifest.reference
    assert (reference.part, reference.rows) == ("test", result.rows["test"])
    assert set(reference.quantities) == {"label", "confidence", "length"}
    assert sum(reference.quantities["length"].counts) == sum(reference.quantities["confidence"].counts) == reference.rows
    assert sum(reference.quantities["label"].counts) >= reference.rows
    record = bundle.manifest.decoder["calibration"]
    assert {name: record[name] for name in found.model_dump()} == found.model_dump()
    assert ("scale" in record) == (method == "platt")
    predictor, texts = load_predictor(bundle.folder, threads=1), [text for text, _ in made()[:50]]
    rows = Table({"text": texts})
    logits = predictor.outputs(rows)["logits"]
    np.testing.assert_allclose(Linear().load(tmp_path / "out" / "model").outputs(rows)["logits"], logits, atol=1e-4)
    answers = predictor.predict(texts)
    scores = np.array([[answer["scores"][label] for label in bundle.problem.labels] for answer in answers])
    by_hand = 1 / (1 + np.exp(-logits)) if method == "platt" else np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(scores, by_hand, atol=1e-5)
    said = f"{100 * found.ece_before:.1f} points on average, after it, on rows that were held out, by {100 * found.ece_after:.1f}"
    assert said in (bundle.folder / "README.md").read_text()
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert page.open == []
    assert "Is it as sure as it should be?" in page.text
    assert said in page.text
    events = (tmp_path / "out" / "events.jsonl").read_text()
    assert "probabilities were calibrated" in events
    assert json.loads((bundle.folder / "autoft.json").read_text())["decoder"]["calibration"]["folded"] is True
