"""The graph of a linear model: the weights of the features that are there, times their values, summed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_OPSET, _IR_VERSION = 18, 8


def graph_of(weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Any:
    """An onnx.ModelProto: ids, values (batch, features) -> logits (batch, outputs)."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Gather", ["weight", "ids"], ["rows"], axis=0),
        helper.make_node("Unsqueeze", ["values", "one"], ["row_values"]),
        helper.make_node("MatMul", ["row_values", "rows"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "one"], ["flat"]),
        helper.make_node("Add", ["flat", "bias"], ["logits"]),
    ]
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(weight), "weight"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", "features"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)])],
        initializers,
    )
    model = helper.make_model(graph, producer_name="autoft", opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    return model
