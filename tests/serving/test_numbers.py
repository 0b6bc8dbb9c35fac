"""A plugin's task over numeric columns: nothing on the way to an answer knows of text."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper, save

from autoft.cli.predict import command
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.loading import load_predictor
from autoft.runtime.bundle import EncoderRecord, Manifest, PluginRecord, write_manifest
from autoft.serving.app import create_app
from small_bundle import make_bundle

PLUGIN = Path(__file__).parents[2] / "examples" / "numeric_plugin.py"


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Classes by the sign of a - b."""
    folder = make_bundle(tmp_path / "numbers")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weight"], ["logits"])],
        "softmax",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.array([[-1, 1], [1, -1], [0, 0]], np.float32), "weight")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "onnx" / "model.onnx")
    problem = Problem(
        task="numeric-classification",
        fields={"features": ("a", "b"), "label": ("kind",)},
        inputs=("features",),
        labels=("less", "more"),
        head=Head(kind="single_label_classification", outputs=2),
        metric=Metric(name="accuracy"),
    )
    changes = {
        "problem": problem,
        "encoder": EncoderRecord(name="columns", config={"mean": [0, 0], "scale": [1, 1]}),
        "plugin_files": (PluginRecord(name=PLUGIN.name, sha256=hashlib.sha256(PLUGIN.read_bytes()).hexdigest()),),
        "input_schema": {
            "type": "object",
            "properties": {"features": {"type": "array", "items": {"type": "number"}}},
            "required": ["features"],
        },
    }
    for name in ("vocabulary.json", "decoder.npz"):
        (folder / name).unlink()
    manifest = Manifest.model_validate_json((folder / "autoft.json").read_bytes())
    write_manifest(folder, manifest.model_copy(update=changes))
    return folder


def test_served_by_role_and_by_columns(numbers: Path) -> None:
    client = TestClient(create_app(load_predictor(numbers, plugin_files=[PLUGIN], threads=1), name="numbers"))
    rows = [{"features": [1, 2.5]}, {"a": 3, "b": 1}, [5, 1]]
    assert [answer["label"] for answer in client.post("/predict", json={"inputs": rows}).json()] == ["less", "more", "more"]
    assert client.post("/predict", json={"a": 3, "b": 1}).json()["label"] == "more"
    api = client.get("/openapi.json").json()
    assert client.post(
        "/predict", json=api["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    ).is_success
    for body, field in (({"a": 3}, "b"), ({"features": ["1", 2]}, "features"), ({}, "features"), ({"features": 1}, "features")):
        response = client.post("/predict", json=body)
        assert (response.status_code, response.json()["field"]) == (422, field)
    assert client.post("/predict", json={"features": [1]}).status_code == 422
    assert client.post("/predict", json={"a": "x", "b": 1}).status_code == 422


def test_one_column_needs_no_list(numbers: Path) -> None:
    manifest = Manifest.model_validate_json((numbers / "autoft.json").read_bytes())
    problem = manifest.problem.model_copy(update={"fields": {"features": ("x",), "label": ("kind",)}})
    weight = numpy_helper.from_array(np.array([[-1, 1], [0, 0]], np.float32), "weight")
    graph = onnx.load(numbers / "onnx" / "model.onnx")
    graph.graph.initializer[0].CopyFrom(weight)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2
    save(graph, numbers / "onnx" / "model.onnx")
    encoder = EncoderRecord(name="columns", config={"mean": [0], "scale": [1]})
    write_manifest(numbers, manifest.model_copy(update={"problem": problem, "encoder": encoder}))
    client = TestClient(create_app(load_predictor(numbers, plugin_files=[PLUGIN], threads=1), name="numbers"))
    for body in ({"x": 3.2}, {"x": [3.2]}, {"features": 3.2}):
        assert client.post("/predict", json=body).json()["label"] == "more"
    many = client.post("/predict", json={"inputs": [3.2, {"x": -1}, [-2]]}).json()
    assert [answer["label"] for answer in many] == ["more", "less", "less"]
    for value in ("three", None, {}, True):
        response = client.post("/predict", json={"x": value})
        assert (response.status_code, response.json()["field"]) == (422, "x")
    assert CliRunner().invoke(command, [str(numbers), "--plugin", str(PLUGIN), "3.2"]).stdout.startswith("more")
    refused = CliRunner().invoke(command, [str(numbers), "--plugin", str(PLUGIN), "three"])
    assert isinstance(refused.exception, DataError)
    assert refused.exception.message == "row 1: features should be a number, not 'three'"


def test_the_example_names_a_label_it_never_learned_and_its_numbers_stay_finite(numbers: Path) -> None:
    import runpy

    module = runpy.run_path(str(PLUGIN))
    problem = Manifest.model_validate_json((numbers / "autoft.json").read_bytes()).problem
    task = module["NumericClassification"]()
    with pytest.raises(DataError, match=r"t\.csv, row 2: the label 'other'"):
        task.targets(problem, Table({"a": [1, 2], "b": [1, 2], "kind": ["less", "other"]}, "t.csv"))
    with pytest.raises(DataError, match="row 2: features"):
        task.check_inputs(problem, [{"a": 1, "b": 2}, {"a": 1}])
    assert module["probabilities"](np.array([[2000.0, 0.0], [0.0, 0.0]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    config = module["Line"](problem, {"mean": [0, 0], "scale": [1, 1]}, np.zeros((2, 2))).program().config
    assert config["problem_type"] == "single_label_classification"
    assert config["architectures"]


def test_predicted_from_a_file(numbers: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,a,b\nx,1,2\ny,2.5,-1\n")
    arguments = [str(numbers), "--plugin", str(PLUGIN), "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [(row["id"], row["a"], row["label"]) for row in csv.DictReader(file)] == [("x", "1", "less"), ("y", "2.5", "more")]
    (tmp_path / "in.csv").write_text("id,a,b\nx,1,2\ny,two,-1\n")
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, DataError)
    assert result.exception.message == f"{tmp_path / 'in.csv'}, row 2, column 'a' should be a number, not 'two'"


def test_predicted_from_an_object(numbers: Path) -> None:
    result = CliRunner().invoke(command, [str(numbers), "--plugin", str(PLUGIN), '{"a": 1, "b": 4}'])
    assert result.stdout.startswith("less")
