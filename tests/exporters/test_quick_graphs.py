"""Graphs come in the form that onnxruntime makes quick."""

from __future__ import annotations

from collections import Counter

import onnx
import onnxruntime
import pytest

from autoft_exporters.quick_graphs import plain_attention


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta"])
def test_gelu_and_norms_become_one_operator_each_and_a_row_is_not_asked_whether_it_is_empty(architecture, exported_full, tmp_path):
    exported = exported_full(architecture)
    written = exported.folder / "onnx" / "model.onnx"
    assert {one.domain for one in onnx.load(written).opset_import} == {""}, "what is written has ONNX's own operators only"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "opened.onnx")
    onnxruntime.InferenceSession(written, options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "opened.onnx").graph.node)
    layers = 2
    assert kinds["BiasGelu"] == layers
    assert kinds["Erf"] == 0
    assert kinds["SkipLayerNormalization"] >= 2 * layers - 1, "of the last layer's first norm the sum is cut"
    assert kinds["Softmax"] == layers
    assert kinds["Where"] < layers, "once for the mask at most"


def test_the_model_attends_as_before_afterwards(exported_full):
    model = exported_full("bert").fitted.model

    def trace() -> None:
        with plain_attention(model):
            assert model.config._attn_implementation == "eager"
            raise ValueError("traced")

    with pytest.raises(ValueError, match="traced"):
        trace()
    assert model.config._attn_implementation == "sdpa"


def test_the_last_layer_computes_one_token(exported_full):
    exported = exported_full("bert")
    graph = onnx.load(exported.folder / "onnx" / "model.onnx").graph
    shapes = {value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in graph.value_info}
    widened = [shapes[node.input[0]] for node in graph.node if node.op_type == "Div"]
    assert [shape[1] for shape in widened] == ["length", 1]
