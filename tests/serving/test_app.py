"""Requests and answers, without a network."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft.serving import requests as requests_module
from autoft.serving.access import AccessLog
from autoft.serving.app import create_app
from small_bundle import make_bundle, problem


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return load_predictor(bundle, threads=1)


@pytest.fixture
def client(predictor: Predictor) -> TestClient:
    return TestClient(create_app(predictor, name="reviews"), raise_server_exceptions=False)


def test_one_answer_and_a_list(client: TestClient) -> None:
    one = client.post("/predict", json={"text": "great"})
    assert one.status_code == 200
    assert one.headers["content-type"] == "application/json"
    assert one.json()["label"] == "good"
    many = client.post("/predict", json={"inputs": ["awful", {"text": "great"}, {"review": "awful"}]}).json()
    assert [answer["label"] for answer in many] == ["bad", "good", "bad"]
    assert client.post("/predict", json={"inputs": []}).json() == []
    assert client.post("/predict", json={"review": "great"}).json() == one.json()


def test_what_is_refused_says_what_is_right(client: TestClient) -> None:
    assert client.post("/predict", json=["great"]).json() == {
        "error": 'the body should be a JSON object, not a list; send a list of rows as {"inputs": [...]}'
    }
    assert client.post("/predict", json={"body": "great"}).json() == {
        "error": "text (or review, its name in the training file) is missing",
        "field": "text",
    }


def test_a_column_may_be_called_inputs(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "odd", problem=problem().model_copy(update={"fields": {"text": ("inputs",), "label": ("rating",)}}))
    client = TestClient(create_app(load_predictor(made, threads=1), name="odd"))
    assert client.post("/predict", json={"inputs": "great"}).json()["label"] == "good"
    many = client.post("/predict", json={"inputs": ["awful", {"inputs": "great"}, {"text": "awful"}]})
    assert [answer["label"] for answer in many.json()] == ["bad", "good", "bad"]
    assert client.post("/predict", json={"inputs": 3}).json()["field"] == "inputs"
    assert client.post("/predict", json={"inputs": ["a"], "text": "b"}).json()["field"] == "text"


def test_hugging_face_shapes(client: TestClient) -> None:
    ((first, second),) = client.post("/", json={"inputs": "great"}).json()
    assert (first["label"], second["label"]) == ("good", "bad")
    assert first["score"] + second["score"] == pytest.approx(1)
    lists = client.post("/", json={"inputs": ["great", "awful"], "parameters": {"top_k": 1, "function_to_apply": "softmax"}}).json()
    assert [[found["label"] for found in classes] for classes in lists] == [["good"], ["bad"]]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/predict", {}, "text"),
        ("/predict", {"txt": "great"}, "text"),
        ("/predict", {"text": 3}, "text"),
        ("/predict", {"text": None}, "text"),
        ("/predict", {"text": ["great"]}, "text"),
        ("/predict", {"review": True}, "review"),
        ("/predict", {"inputs": "great"}, "inputs"),
        ("/predict", {"inputs": None}, "inputs"),
        ("/predict", {"inputs": {"text": "great"}}, "inputs"),
        ("/predict", {"inputs": ["great", 3]}, "inputs.1"),
        ("/predict", {"inputs": ["great", None]}, "inputs.1"),
        ("/predict", {"inputs": [[]]}, "inputs.0"),
        ("/predict", {"inputs": [{"text": "a"}, {"txt": "b"}]}, "inputs.1.text"),
        ("/predict", {"inputs": [{"text": {}}]}, "inputs.0.text"),
        ("/predict", {"inputs": ["a"], "text": "b"}, "text"),
        ("/", {}, "inputs"),
        ("/", {"inputs": 3}, "inputs"),
        ("/", {"inputs": "a", "stream": True}, "stream"),
        ("/", {"inputs": {"txt": "a"}}, "inputs.text"),
        ("/", {"inputs": ["a", {"text": 3}]}, "inputs.1.text"),
        ("/", {"inputs": "a", "parameters": 3}, "parameters"),
        ("/", {"inputs": "a", "parameters": {"top_k": 0}}, "parameters.top_k"),
        ("/", {"inputs": "a", "parameters": {"top_k": True}}, "parameters.top_k"),
        ("/", {"inputs": "a", "parameters": {"function_to_apply": "sigmoid"}}, "parameters.function_to_apply"),
        ("/", {"inputs": "a", "parameters": {"topk": 1}}, "parameters.topk"),
    ],
)
def test_malformed_fields_are_named(client: TestClient, path: str, body: object, field: str) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 422
    assert response.json()["field"] == field
    assert set(response.json()) == {"error", "field"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"3",
        b'"great"',
        b'["great"]',
        b"\xff\xfe",
        b"\0",
        b'{"text": NaN}',
        b'{"text": ' + b"[" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"text": ' + b"9" * 10_000 + b"}",
        b'{"\\ud800": 1}',
        b'{"inputs": ["a"], "parameters": {"\\ud800": 1}}',
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/"])
def test_what_is_no_request(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body)
    if path == "/predict" and b"parameters" in body:
        assert response.status_code == 200
        return
    assert response.status_code == 422
    assert response.json()["error"]
    assert "Traceback" not in response.text


@pytest.mark.parametrize("text", ["", "\\u0000", "great \\ud83d", "\\udc00\\ud800", "\\ud83d\\ude00", "a" * 100_000, "great " * 100_000])
def test_odd_texts_are_answered(client: TestClient, text: str) -> None:
    response = client.post("/predict", content=f'{{"text": "{text}"}}'.encode())
    assert response.status_code == 200
    assert response.json()["label"] in ("bad", "good")


def test_too_much(client: TestClient) -> None:
    assert client.post("/predict", json={"inputs": ["a"] * 1024}).status_code == 200
    many = client.post("/predict", json={"inputs": ["a"] * 1025})
    assert (many.status_code, many.json()["field"]) == (413, "inputs")
    assert client.post("/", json={"inputs": ["a"] * 1025}).status_code == 413
    large = client.post("/predict", content=b'{"text": "' + b"a" * requests_module.MOST_BYTES + b'"}')
    assert large.status_code == 413


def test_too_much_without_saying_how_much(client: TestClient) -> None:
    def body():
        for _ in range(10):
            yield b" " * 2**20

    assert client.post("/predict", content=body()).status_code == 413


def test_a_failure_shows_nothing_of_itself_and_logs_no_text(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(AccessLog(create_app(predictor, name="reviews")), raise_server_exceptions=False)

    def fail(arrays: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(predictor._session, "run", fail)
    with caplog.at_level(logging.INFO, logger="autoft.serving"):
        response = client.post("/predict", json={"text": "private message"})
    assert response.status_code == 500
    assert response.json() == {"error": "the model could not answer; the server's log says where"}
    assert "RuntimeError" in caplog.text
    assert "POST /predict 500" in caplog.text
    assert "secret" not in caplog.text
    assert "private" not in caplog.text


def test_answers_that_are_no_numbers_are_no_json(client: TestClient, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "answer", lambda rows, numbers: [{"label": "good", "score": float("nan")}])
    response = client.post("/predict", json={"text": "great"})
    assert response.status_code == 500
    assert set(response.json()) == {"error"}


def test_health_info_and_unknown_paths(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
    info = client.get("/info").json()
    assert (info["name"], info["task"], info["labels"], info["inputs"]) == ("reviews", "text-classification", ["bad", "good"], ["text"])
    assert info["figures"] == {"test": {"accuracy": 0.9}}
    assert client.get("/nothing").status_code == 404
    assert "/docs" in client.get("/nothing").json()["error"]
    wrong = client.get("/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_openapi_describes_the_bundles_own_fields(client: TestClient) -> None:
    api = client.get("/openapi.json").json()
    model = "/v2/models/reviews"
    own = {"/predict", "/", "/health/live", "/health/ready", "/info", "/metrics"}
    others = {"/ping", "/invocations", "/v2", "/v2/health/live", "/v2/health/ready", model, f"{model}/ready", f"{model}/infer"}
    assert own | others == set(api["paths"])
    body = api["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    one, many = body["schema"]["anyOf"]
    assert one["properties"]["text"] == {"type": "string"}
    assert many["properties"]["inputs"]["maxItems"] == 1024
    assert client.post("/predict", json=body["example"]).status_code == 200
    example = api["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post("/", json=example).status_code == 200
    for path in (f"{model}/infer", "/invocations"):
        example = api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=example).status_code == 200
    assert set(api["paths"]["/predict"]["post"]["responses"]) == {"200", "408", "413", "422", "429", "500", "504"}


def test_the_docs_page_needs_no_other_machine(client: TestClient) -> None:
    response = client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:)?//", response.text)
    assert "connect-src 'self'" in response.headers["content-security-policy"]
    assert 'fetch("openapi.json")' in response.text
