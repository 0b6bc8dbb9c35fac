"""How strange a row is to the model: told on request, and nothing else changes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import autoft
import task_bundles
from autoft.cli.predict import command
from autoft.errors import DataError
from autoft.loading import load_predictor
from autoft.runtime.bundle import Bundle, open_bundle, write_manifest
from autoft.runtime.schemas import complaint
from autoft.runtime.strangeness import FEWEST, energies, measured, strangeness
from autoft.serving.app import create_app

TEXTS = ["great", "great and awful", "superb great lovely"]


@pytest.fixture
def told(bundle: Path) -> Bundle:
    """A bundle that knows the energies of its own rows: those of the three texts are among them."""
    logits = load_predictor(bundle, threads=1).outputs(load_predictor(bundle, threads=1).asked(TEXTS))["logits"]
    own = np.concatenate([np.linspace(0.1, 1.0, 60)[:, None] * np.array([[0.0, 8.0]]), logits])
    opened = open_bundle(bundle)
    decoder = {**opened.manifest.decoder, "out_of_domain": measured(own)}
    write_manifest(bundle, opened.manifest.model_copy(update={"decoder": decoder}))
    return open_bundle(bundle)


def test_energy_is_high_where_no_class_is_likely():
    low, high, none = energies(np.array([[9.0, -3.0, 0.0], [0.5, 0.1, 0.0], [-4.0, -4.0, -4.0]]))
    assert low < high < none
    assert high == pytest.approx(-np.log(np.exp([0.5, 0.1, 0.0]).sum()))
    assert np.isfinite(energies(np.array([[1e4, -1e4]], np.float32))).all()


def test_the_score_is_the_share_of_rows_that_are_less_strange():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (2000, 4))
    record = measured(logits)
    assert record["rows"] == 2000
    scores = strangeness(record, logits)
    assert np.abs(np.sort(scores) - np.linspace(0, 1, 2000)).max() < 0.02
    order = np.argsort(energies(logits))
    assert (np.diff(scores[order]) >= 0).all()
    assert strangeness(record, np.array([[-50.0] * 4, [50.0] * 4])).tolist() == [1.0, 0.0]
    assert measured(logits[: FEWEST - 1]) is None
    assert json.loads(json.dumps(record)) == record


def test_answers_have_it_on_request_and_are_the_same_else(told: Bundle):
    plain = load_predictor(told.folder, threads=1).predict(TEXTS)
    assert all("out_of_domain" not in answer for answer in plain)
    predictor = autoft.load(told.folder, threads=1, out_of_domain=True, abstain_below=0.5)
    answers = predictor.predict(TEXTS)
    assert [{name: answer[name] for name in plain[0]} for answer in answers] == plain
    scores = [answer["out_of_domain"] for answer in answers]
    logits = predictor.outputs(predictor.asked(TEXTS))["logits"]
    np.testing.assert_allclose(scores, strangeness(told.manifest.decoder["out_of_domain"], logits), atol=1e-6)
    assert len(set(scores)) == 3
    schema = predictor.bundle.manifest.output_schema
    assert {"sure", "out_of_domain"} <= set(schema["required"])
    assert schema["properties"]["out_of_domain"]["type"] == "number"
    assert complaint(schema["properties"]["out_of_domain"], scores[0]) is None
    assert "out_of_domain" not in load_predictor(told.folder, threads=1).bundle.manifest.output_schema["properties"]


def test_the_command_and_the_server_tell_it(told: Bundle, tmp_path: Path):
    def predict(*arguments: object) -> str:
        result = CliRunner().invoke(command, [str(told.folder), *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    lines = [json.loads(line)["out_of_domain"] for line in predict("--out-of-domain", "--json", *TEXTS).splitlines()]
    assert all("out_of_domain=" in line for line in predict("--out-of-domain", *TEXTS).splitlines())
    assert "out_of_domain" not in predict("--json", *TEXTS)
    (tmp_path / "asked.csv").write_text("\n".join(["review", *TEXTS]) + "\n")
    predict("--out-of-domain", "--input", tmp_path / "asked.csv", "--output", tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        np.testing.assert_allclose([float(row["out_of_domain"]) for row in csv.DictReader(file)], lines, atol=1e-4)
    client = TestClient(create_app(load_predictor(told.folder, threads=1, out_of_domain=True), name="reviews"))
    answers = client.post("/predict", json={"inputs": TEXTS}).json()
    np.testing.assert_allclose([answer["out_of_domain"] for answer in answers], lines, atol=1e-6)
    assert client.get("/info").json()["output_schema"]["properties"]["out_of_domain"]["maximum"] == 1
    (ranked,) = client.post("/", json={"inputs": ["great and awful"]}).json()
    assert {name for one in ranked for name in one} == {"label", "score"}


def test_bundles_that_cannot_tell(bundle: Path, tmp_path: Path):
    manifest = open_bundle(bundle).manifest
    decoder = {name: value for name, value in manifest.decoder.items() if name != "out_of_domain"}
    write_manifest(bundle, manifest.model_copy(update={"decoder": decoder}))
    with pytest.raises(DataError, match="does not say how strange the rows of its own data are"):
        load_predictor(bundle, threads=1, out_of_domain=True)
    folder = task_bundles.multi_label(tmp_path / "labels")
    with pytest.raises(DataError, match="the answers of multi-label are not one class with its probability"):
        load_predictor(folder, threads=1, out_of_domain=True)
