"""The Open Inference Protocol, JSON and binary, and Triton's own client against a running server."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

import task_bundles
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from http_servers import listening
from small_bundle import make_bundle
from task_bundles import NUMBER, TEXT, schema

SCORES = schema(label=TEXT, score=NUMBER, scores=schema(bad=NUMBER, good=NUMBER))


def app_of(folder: Path, name: str = "full:mini"):
    return create_app(load_predictor(folder, plugin_files=[task_bundles.PLUGIN], threads=1), name=name)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(app_of(make_bundle(tmp_path / "bundle", output_schema=SCORES)), raise_server_exceptions=False)


def tensor(*texts: str, **changes: object) -> dict:
    return {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts), **changes}


def test_what_there_is(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/models/full%3Amini/ready").json() == {"name": "full:mini", "ready": True}
    about = client.get("/v2/models/full:mini").json()
    assert about["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [(one["name"], one["shape"]) for one in about["outputs"]] == [("label", [-1]), ("score", [-1]), ("scores", [-1, 2])]
    assert about["parameters"] == {"labels": ["bad", "good"]}
    assert client.get("/v2/models/other").status_code == 404


def test_answers_as_tensors(client: TestClient) -> None:
    plain = client.post("/predict", json={"inputs": ["great", "awful"]}).json()
    answer = client.post("/v2/models/full:mini/infer", json={"id": "7", "inputs": [tensor("great", "awful")]}).json()
    assert (answer["id"], answer["model_name"]) == ("7", "full:mini")
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert outputs["label"]["data"] == ["good", "bad"]
    assert outputs["score"] == {"name": "score", "datatype": "FP64", "shape": [2], "data": [one["score"] for one in plain]}
    assert outputs["scores"]["shape"] == [2, 2]
    assert outputs["scores"]["data"] == [one["scores"][label] for one in plain for label in ("bad", "good")]
    nested = {
        "inputs": [tensor("great", "awful", name="review", shape=[2, 1], data=[["great"], ["awful"]])],
        "outputs": [{"name": "label"}],
    }
    assert [one["name"] for one in client.post("/v2/models/full:mini/infer", json=nested).json()["outputs"]] == ["label"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": ["great"]}, "inputs.0"),
        ({"inputs": [tensor("a", name=3)]}, "inputs.0.name"),
        ({"inputs": [tensor("a", name="txt")]}, "inputs.0.name"),
        ({"inputs": [tensor("a"), tensor("a")]}, "inputs.1.name"),
        ({"inputs": [tensor("a"), tensor("a", name="review")]}, "inputs.1.name"),
        ({"inputs": [tensor("a", datatype="TEXT")]}, "inputs.0.datatype"),
        ({"inputs": [tensor("a", datatype="FP32", data=[1.0])]}, "inputs.0.datatype"),
        ({"inputs": [tensor("a", shape=[2])]}, "inputs.0.data"),
        ({"inputs": [tensor("a", shape=[])]}, "inputs.0.shape"),
        ({"inputs": [tensor("a", shape=[True])]}, "inputs.0.shape"),
        ({"inputs": [tensor("a", shape=[-1])]}, "inputs.0.shape"),
        ({"inputs": [tensor("a", "b", shape=[1, 2])]}, "inputs.0.shape"),
        ({"inputs": [tensor("a", data=[1])]}, "inputs.0.data"),
        ({"inputs": [tensor("a", data="a")]}, "inputs.0.data"),
        ({"inputs": [tensor("a", parameters=1)]}, "inputs.0.parameters"),
        ({"inputs": [tensor("a", parameters={"binary_data_size": 5})]}, "inputs.0.parameters.binary_data_size"),
        ({"inputs": [tensor("a", parameters={"shared_memory_region": "r"})]}, "inputs.0.parameters.shared_memory_region"),
        ({"inputs": [tensor("a")], "parameters": []}, "parameters"),
        ({"inputs": [tensor("a")], "parameters": {"binary_data_output": 1}}, "parameters.binary_data_output"),
        ({"inputs": [tensor("a")], "outputs": [{"name": "logits"}]}, "outputs.0.name"),
        (
            {"inputs": [tensor("a")], "outputs": [{"name": "label", "parameters": {"classification": 2}}]},
            "outputs.0.parameters.classification",
        ),
    ],
)
def test_malformed_fields_are_named(client: TestClient, body: dict, field: str) -> None:
    response = client.post("/v2/models/full:mini/infer", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    ("header", "behind"),
    [
        ("9999", b""),
        ("-1", b""),
        ("x", b""),
        (None, b"\x05\0\0\0great"),
        ("whole", b"\x09\0\0\0great"),
        ("whole", b"\x01\0\0\0\xff"),
        ("whole", b"\x05\0"),
    ],
)
def test_binary_that_is_not(client: TestClient, header: str | None, behind: bytes) -> None:
    sizes = tensor("great", parameters={"binary_data_size": len(behind)})
    del sizes["data"]
    text = json.dumps({"inputs": [sizes]}).encode()
    headers = {} if header is None else {"Inference-Header-Content-Length": str(len(text)) if header == "whole" else header}
    response = client.post("/v2/models/full:mini/infer", content=text + behind, headers=headers)
    assert response.status_code == 422
    assert response.json()["error"]


def test_binary_both_ways(client: TestClient) -> None:
    words = [b"great", "aw\u00fcl awful".encode()]
    behind = b"".join(struct.pack("<I", len(word)) + word for word in words)
    text = json.dumps(
        {
            "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(behind)}}],
            "outputs": [{"name": "label"}, {"name": "scores", "parameters": {"binary_data": True}}],
        }
    ).encode()
    response = client.post("/v2/models/full:mini/infer", content=text + behind, headers={"Inference-Header-Content-Length": str(len(text))})
    size = int(response.headers["inference-header-content-length"])
    label, scores = json.loads(response.content[:size])["outputs"]
    assert label["data"] == ["good", "bad"]
    assert scores["parameters"] == {"binary_data_size": 32}
    plain = client.post("/predict", json={"inputs": ["great", "awful"]}).json()
    assert np.frombuffer(response.content[size:], "<f8").reshape(2, 2)[0].tolist() == [plain[0]["scores"][name] for name in ("bad", "good")]


def test_other_tasks(tmp_path: Path) -> None:
    pairs = TestClient(app_of(task_bundles.pair_score(tmp_path / "pairs"), "pairs"))
    two = [tensor("a man sleeps", "a b"), tensor("a man eats", "a b", name="hypothesis")]
    (score,) = pairs.post("/v2/models/pairs/infer", json={"inputs": two}).json()["outputs"]
    assert score["data"] == pytest.approx([2.5, 5.0])
    uneven = pairs.post("/v2/models/pairs/infer", json={"inputs": [two[0], tensor("a", name="text_pair")]})
    assert uneven.json()["error"] == "the inputs have different numbers of rows"
    assert pairs.post("/v2/models/pairs/infer", json={"inputs": two[:1]}).json()["error"] == "the input text_pair is missing"
    names = TestClient(app_of(task_bundles.entities(tmp_path / "names"), "names"))
    (found,) = names.post("/v2/models/names/infer", json={"inputs": [tensor("so Ada met Bo", "nobody")]}).json()["outputs"]
    assert [[one["word"] for one in json.loads(text)] for text in found["data"]] == [["Ada", "Bo"], []]
    labels = TestClient(app_of(task_bundles.multi_label(tmp_path / "labels"), "labels"))
    first, scores = labels.post("/v2/models/labels/infer", json={"inputs": [tensor("great but broken")]}).json()["outputs"]
    assert sorted(json.loads(first["data"][0])) == ["bad", "good"]
    assert scores["shape"] == [1, 2]


def test_triton_s_own_client(tmp_path: Path) -> None:
    http = pytest.importorskip("tritonclient.http")
    with listening(app_of(make_bundle(tmp_path / "bundle", output_schema=SCORES))) as address:
        client = http.InferenceServerClient(address.removeprefix("http://"))
        try:
            assert client.is_server_live()
            assert client.is_server_ready()
            assert client.is_model_ready("full:mini")
            assert client.get_model_metadata("full:mini")["inputs"][0]["datatype"] == "BYTES"
            for binary in (True, False):
                asked = http.InferInput("text", [2], "BYTES")
                asked.set_data_from_numpy(np.array(["great", "awful \u00fc"], dtype=object), binary_data=binary)
                wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in ("label", "scores")]
                for outputs in (wanted, None):
                    answer = client.infer("full:mini", [asked], outputs=outputs, request_id="9")
                    assert [str(word, "utf-8") if isinstance(word, bytes) else word for word in answer.as_numpy("label")] == ["good", "bad"]
                    assert answer.as_numpy("scores").sum(axis=1) == pytest.approx([1, 1])
                    assert answer.get_response()["id"] == "9"
            wrong = http.InferInput("txt", [1], "BYTES")
            wrong.set_data_from_numpy(np.array(["a"], dtype=object))
            with pytest.raises(Exception, match="no input txt"):
                client.infer("full:mini", [wrong])
        finally:
            client.close()
