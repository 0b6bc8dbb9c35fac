"""MLflow's routes, and its own client against a running server."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import task_bundles
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from http_servers import listening


@pytest.fixture
def client(bundle: Path) -> TestClient:
    return TestClient(create_app(load_predictor(bundle, threads=1), name="reviews"), raise_server_exceptions=False)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["id", "review"], "data": [[1, "great"], [2, "awful"]], "index": [0, 1]}},
        {"dataframe_records": [{"review": "great", "id": 1}, {"text": "awful"}]},
        {"inputs": ["great", "awful"]},
        {"inputs": [["great"], ["awful"]]},
        {"inputs": {"text": ["great", "awful"]}},
        {"instances": ["great", {"text": "awful"}], "params": {}},
        {"params": None, "instances": ["great", {"text": "awful"}]},
    ],
)
def test_every_way_of_rows(client: TestClient, body: dict) -> None:
    answer = client.post("/invocations", json=body).json()
    assert answer["predictions"] == client.post("/predict", json={"inputs": ["great", "awful"]}).json()


def test_csv_and_ping(client: TestClient) -> None:
    assert client.get("/ping").status_code == 200
    content = 'id,review\n1,"great, ""really"""\n2,awful\n'
    answer = client.post("/invocations", content=content, headers={"content-type": "text/csv; charset=utf-8"}).json()
    assert [one["label"] for one in answer["predictions"]] == ["good", "bad"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "dataframe_split"),
        ({"inputs": ["a"], "instances": ["a"]}, "instances"),
        ({"inputs": ["a"], "params": {"top_k": 1}}, "params"),
        ({"inputs": ["a"], "params": []}, "params"),
        ({"inputs": ["a"], "signature_name": "serving_default"}, "signature_name"),
        ({"inputs": "a"}, "inputs"),
        ({"inputs": {"text": "a"}}, "inputs.text"),
        ({"inputs": [3]}, "inputs.0"),
        ({"instances": {"text": ["a"]}}, "instances"),
        ({"dataframe_records": ["a"]}, "dataframe_records"),
        ({"dataframe_records": [{"txt": "a"}]}, "dataframe_records.0.text"),
        ({"dataframe_split": []}, "dataframe_split"),
        ({"dataframe_split": {"columns": ["review", "review"], "data": []}}, "dataframe_split.columns"),
        ({"dataframe_split": {"columns": ["review"], "data": "a"}}, "dataframe_split.data"),
        ({"dataframe_split": {"columns": ["review"], "data": [["a", "b"]]}}, "dataframe_split.data.0"),
    ],
)
def test_malformed_fields_are_named(client: TestClient, body: dict, field: str) -> None:
    response = client.post("/invocations", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b'review\n"a', b"review\na,b\n"])
def test_what_is_no_csv(client: TestClient, content: bytes) -> None:
    assert client.post("/invocations", content=content, headers={"content-type": "text/csv"}).status_code == 422


def test_columns_of_a_pair(tmp_path: Path) -> None:
    predictor = load_predictor(task_bundles.pair_score(tmp_path / "pairs"), plugin_files=[task_bundles.PLUGIN], threads=1)
    client = TestClient(create_app(predictor, name="pairs"), raise_server_exceptions=False)
    columns = {"premise": ["a man sleeps"], "hypothesis": ["a man eats"]}
    assert client.post("/invocations", json={"inputs": columns}).json() == {"predictions": [{"score": pytest.approx(2.5)}]}
    assert client.post("/invocations", json={"inputs": {**columns, "premise": []}}).status_code == 422


def test_mlflow_s_own_client(bundle: Path) -> None:
    scoring = pytest.importorskip("mlflow.pyfunc.scoring_server.client")
    pandas = pytest.importorskip("pandas")
    with listening(create_app(load_predictor(bundle, threads=1), name="reviews")) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        client = scoring.ScoringServerClient(host, port)
        client.ping()
        frame = pandas.DataFrame({"review": ["great", "awful"], "id": [1, 2]})
        for data in (frame, frame[["review"]].to_numpy(), ["great", "awful"]):
            assert list(client.invoke(data).get_predictions()["label"]) == ["good", "bad"]
