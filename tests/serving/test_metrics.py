"""`/metrics`: what is counted, and several processes in one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families as families

from autoft.interfaces.encoder import Encoded
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft.serving.app import create_app
from autoft.serving.metrics import SHARED, Metrics


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return load_predictor(bundle, threads=1)


@pytest.fixture
def client(predictor: Predictor) -> TestClient:
    return TestClient(create_app(predictor, name="reviews"), raise_server_exceptions=False)


def samples(text: str) -> dict[tuple, float]:
    """(name, labels) -> value."""
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families(text) for one in family.samples}


def test_requests_batches_and_latency(client: TestClient, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post("/predict", json={"inputs": ["great awful"] * 9})
    client.post("/predict", json={"inputs": 3})
    client.get("/no/such/path")
    client.get("/nor/this")
    monkeypatch.setattr(predictor, "answer", lambda rows, numbers: 1 / 0)
    client.post("/predict", json={"text": "great"})
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = samples(response.text)
    asked = {status: found["autoft_requests_total", (("route", "/predict"), ("status", status))] for status in ("200", "422", "500")}
    assert asked == {"200": 1, "422": 1, "500": 1}
    assert found["autoft_requests_total", (("route", "(none)"), ("status", "404"))] == 2
    assert found["autoft_errors_total", (("route", "/predict"),)] == 1
    assert found["autoft_request_seconds_count", (("route", "/predict"),)] == 3
    assert found["autoft_requests_in_work", ()] == 1
    model = ("model", "reviews")
    assert found["autoft_batch_rows_sum", (model,)] == 9
    assert found["autoft_tokens_total", (model,)] == 18
    assert found["autoft_queue_seconds_count", (model,)] == 2
    assert "great" not in response.text


def test_a_queue_and_what_the_encoder_counts_are_told(predictor: Predictor) -> None:
    import numpy as np

    app = create_app(predictor, name="reviews")
    metrics = Metrics()
    metrics.queued("reviews", 0.02)
    assert samples(metrics.page().decode())["autoft_queue_seconds_sum", (("model", "reviews"),)] == pytest.approx(0.02)
    assert predictor.watch is not None
    predictor.watch(Encoded({}, np.array([3, 5]), np.array([True, False]), np.array([1, 0])))
    found = samples(TestClient(app).get("/metrics").text)
    assert found["autoft_unknown_tokens_total", (("model", "reviews"),)] == 1
    assert found["autoft_truncated_rows_total", (("model", "reviews"),)] == 1


def test_nothing_is_global(predictor: Predictor) -> None:
    before = list(REGISTRY.collect())
    one, other = (TestClient(create_app(predictor, name=name)) for name in ("a", "b"))
    one.post("/predict", json={"text": "great"})
    assert not any(key[0] == "autoft_requests_total" for key in samples(other.get("/metrics").text))
    assert len(list(REGISTRY.collect())) == len(before)


WORKER = """
import sys
from autoft.serving.metrics import Metrics
metrics = Metrics()
metrics.requests.labels("/predict", 200).inc(int(sys.argv[1]))
metrics.queued("m", 0.01)
metrics.drifted("m", {"quantities": {"label": {"psi": float(sys.argv[1]), "by_chance": 0.1}}})
print(metrics.page().decode(), "the end", sep="\\n", flush=True)
input()
"""


def test_any_worker_tells_of_all(tmp_path: Path) -> None:
    environment = {**os.environ, SHARED: str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    first = subprocess.Popen([sys.executable, "-c", WORKER, "2"], **pipes)
    try:
        alone = "".join(iter(first.stdout.readline, "the end\n"))
        second = subprocess.run([sys.executable, "-c", WORKER, "3"], input="\n", **{k: v for k, v in pipes.items() if k != "stdin"})
    finally:
        first.communicate("\n", timeout=60)
    assert second.returncode == first.returncode == 0
    assert 'autoft_requests_total{route="/predict",status="200"} 2.0' in alone
    assert 'autoft_requests_total{route="/predict",status="200"} 5.0' in second.stdout
    assert 'autoft_queue_seconds_count{model="m"} 2.0' in second.stdout
    assert 'autoft_drift_psi{model="m",quantity="label"} 3.0' in second.stdout
