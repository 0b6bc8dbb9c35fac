"""The exporter keeps its contract, refuses what it cannot write, and serves a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import autoft
import autoft_numpy
from autoft.errors import ExportError
from autoft.interfaces.encoder import EncoderSpec, Tensor
from autoft.interfaces.model import Part, Program
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.testing import check_exporter
from autoft_numpy.exporter import NumpyExporter

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_it_keeps_the_contract_of_an_exporter() -> None:
    check_exporter(NumpyExporter())


def test_an_operation_that_it_does_not_know_is_named(tmp_path: Path) -> None:
    import onnx
    from onnx import parser

    graph = parser.parse_model('<ir_version: 8, opset_import: ["": 18]> g (float[b, 2] x) => (float[b, 2] logits) { logits = Softmax(x) }')
    (tmp_path / "onnx").mkdir()
    onnx.save(graph, tmp_path / "onnx" / "model.onnx")
    tensor = Tensor("x", "float32", ("batch", 2))
    part = Part("model", graph, (tensor,), (Tensor("logits", "float32", ("batch", 2)),), {"x": np.zeros((2, 2), np.float32)})
    problem = Problem(task="t", fields={}, inputs=("x",), head=Head(kind="k", outputs=2), metric=Metric(name="accuracy"))
    with pytest.raises(ExportError, match="knows no Softmax"):
        NumpyExporter().export(Program((part,), EncoderSpec("e", {}), {}), problem, tmp_path)


def test_a_run_is_served_by_numpy(autoft_project: Project) -> None:
    run = autoft_project.run(autoft_numpy, exporter="numpy")
    assert run.result["verified"]["passed"]
    assert (run.bundle / "numpy" / "model.safetensors").exists()
    assert not (run.bundle / "onnx").exists(), "what it was made out of is not kept unless it is asked for"
    assert autoft.load(run.bundle).predict(["a superb phone", "the case is broken"])[0]["label"] == "good"
