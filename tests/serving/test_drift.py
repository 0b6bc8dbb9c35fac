"""The reference of a bundle, the index, and what a server tells of its traffic."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from autoft.interfaces.encoder import Encoded
from autoft.loading import load_predictor
from autoft.runtime.reference import NONE, OTHER, Histogram, answer_values, gathered, input_values, reference_of
from autoft.serving.app import create_app
from autoft.serving.drift import FEWEST, WINDOW, Drift, by_chance, stability_index
from small_bundle import make_bundle


def test_the_index_is_that_of_the_definition() -> None:
    expected, seen = np.array([500, 300, 200]), np.array([200, 300, 500])
    p, q = ((counts + 0.5) / (counts.sum() + 1.5) for counts in (expected, seen))
    assert stability_index(expected, seen) == pytest.approx(sum((q - p) * np.log(q / p)))
    assert stability_index(expected, seen) == pytest.approx(stability_index(seen, expected))
    assert stability_index(expected, expected * 3) == pytest.approx(0, abs=1e-4)
    assert stability_index([5, 0, 5], [5, 0, 5]) == 0
    assert math.isfinite(stability_index([1000, 0], [0, 1000]))


def test_chance_is_what_samples_of_one_distribution_give() -> None:
    generator, shares = np.random.default_rng(0), np.array([0.4, 0.3, 0.2, 0.1])
    found = [stability_index(generator.multinomial(400, shares), generator.multinomial(1500, shares)) for _ in range(2000)]
    assert np.mean(np.array(found) > by_chance(4, 400, 1500)) == pytest.approx(0.05, abs=0.015)


def test_bins_hold_about_as_many_numbers_each_and_rare_names_are_joined() -> None:
    values = list(np.random.default_rng(1).exponential(size=500))
    reference = reference_of("test", 500, {"score": values, "label": ["a"] * 499 + ["b"], "length": [7.0] * 500, "nothing": []})
    assert reference is not None
    score, label, length = (reference.quantities[name] for name in ("score", "label", "length"))
    assert set(score.counts) == {50}
    assert (label.names, label.counts) == (("a", OTHER), (499, 1))
    assert (length.edges, length.counts) == ((7.0,), (500, 0))
    assert length.bins([6, 7, 8]) == [0, 0, 1]
    assert label.bins(["a", "b", "never seen"]) == [0, 1, 1]
    assert "nothing" not in reference.quantities
    assert set(reference.without("length").quantities) == {"score", "label"}
    assert reference_of("test", 3, {"score": [math.nan]}) is None
    assert Histogram.model_validate_json(score.model_dump_json()) == score


def test_what_answers_and_batches_tell() -> None:
    assert answer_values([{"label": "a", "score": 0.9}], "classes") == {"label": ["a"], "confidence": [0.9]}
    several = [{"labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.8}}, {"labels": [], "scores": {"a": 0.1, "b": 0.2}}]
    assert answer_values(several, "labels") == {"label": ["a", "b", NONE], "confidence": [0.9, 0.2]}
    found = [{"entities": [{"entity_group": "P", "score": 0.5}]}, {"entities": []}]
    assert answer_values(found, "entities") == {"label": ["P", NONE], "confidence": [0.5]}
    assert answer_values([{"score": 3}], "score") == {"score": [3.0]}
    assert answer_values([{"text": "four"}], "text") == {"written": [4.0]}
    assert answer_values([{"odd": 1}], None) == {}
    batch = Encoded({}, np.array([4, 0]), np.zeros(2, bool), np.array([1, 0]))
    assert input_values(batch) == {"length": [4.0, 0.0], "unknown": [0.25, 0.0]}
    assert gathered([{"a": [1]}, {"a": [2], "b": [3]}]) == {"a": [1, 2], "b": [3]}


def test_the_window_forgets() -> None:
    reference = reference_of("test", 400, {"label": ["a", "b"] * 200})
    drift = Drift(reference)
    drift.add({"label": ["a"] * (FEWEST - 1), "unheard": [1]})
    assert drift.figures()["quantities"]["label"]["psi"] is None
    drift.add({"label": ["a"] * WINDOW})
    told = drift.figures()["quantities"]["label"]
    assert told["shift"] == "much"
    assert told["seen"] == [1, 0, 0]
    for _ in range(2 * WINDOW // 10):
        drift.add({"label": ["a", "b"] * 5})
    told = drift.figures()["quantities"]["label"]
    assert told["shift"] == "none"
    assert WINDOW <= told["values"] < 2 * WINDOW


def test_threads_lose_nothing() -> None:
    drift = Drift(reference_of("test", 40, {"label": ["a", "b"] * 20}))
    threads = [threading.Thread(target=lambda: [drift.add({"label": ["a"]}) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drift.figures()["quantities"]["label"]["values"] == 400


def test_a_server_tells_of_drift(tmp_path: Path) -> None:
    plain = load_predictor(make_bundle(tmp_path / "plain"), threads=1)
    texts = ["great phone", "awful phone", "great lovely phone", "broken awful phone"] * 50
    seen: list = []
    plain.watch = lambda batch: seen.append(input_values(batch))
    values = gathered([answer_values(plain.predict(texts), "classes"), *seen])
    predictor = load_predictor(make_bundle(tmp_path / "bundle", reference=reference_of("test", len(texts), values)), threads=1)
    client = TestClient(create_app(predictor, name="reviews"))
    client.post("/predict", json={"inputs": texts})
    drift = client.get("/info").json()["drift"]
    assert drift["reference"] == {"part": "test", "rows": 200}
    assert {name: one["shift"] for name, one in drift["quantities"].items()} == {"label": "none", "confidence": "none", "length": "none"}
    client.post("/predict", json={"inputs": ["great lovely superb"] * 600})
    shifts = {name: one["shift"] for name, one in client.get("/info").json()["drift"]["quantities"].items()}
    assert shifts["label"] == shifts["length"] == "much"
    page = client.get("/metrics").text
    assert 'autoft_drift_psi{model="reviews",quantity="label"}' in page
    assert 'autoft_drift_psi_by_chance{model="reviews",quantity="length"}' in page


def test_a_bundle_without_a_reference_is_served_and_says_so(bundle: Path) -> None:
    content = json.loads((bundle / "autoft.json").read_text())
    del content["reference"]
    (bundle / "autoft.json").write_text(json.dumps(content))
    client = TestClient(create_app(load_predictor(bundle, threads=1), name="reviews"))
    assert client.post("/predict", json={"text": "great"}).status_code == 200
    drift = client.get("/info").json()["drift"]
    assert drift["reference"] is None
    assert "without a reference" in drift["reason"]
    assert "autoft_drift_psi{" not in client.get("/metrics").text
