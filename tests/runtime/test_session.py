"""Graphs: what is refused before onnxruntime sees it, and what is fed to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autoft.errors import BundleError
from autoft.runtime import session as session_module
from autoft.runtime.external import external_tensors
from autoft.runtime.session import OnnxSession, available_cores
from small_bundle import write_graph

FEED = {"ids": np.array([[4, 0]], np.int64), "values": np.array([[1.0, 0.0]], np.float32)}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    write_graph(tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_outputs_by_name_and_only_the_inputs_it_has(graph: Path) -> None:
    outputs = OnnxSession(graph, 1).run(FEED | {"token_type_ids": np.zeros((1, 2), np.int64)})
    assert outputs.keys() == {"logits"}
    assert outputs["logits"].tolist() == [[0.0, 3.0]]


def test_a_missing_input_and_a_wrong_type_are_named(graph: Path) -> None:
    session = OnnxSession(graph, 1)
    with pytest.raises(BundleError, match="needs the input 'values'; the encoder gives ids"):
        session.run({"ids": FEED["ids"]})
    with pytest.raises(BundleError, match="could not be run on ids float32"):
        session.run({"ids": FEED["values"], "values": FEED["values"]})


def test_several_threads_at_once(graph: Path) -> None:
    session = OnnxSession(graph, 2)

    def one(token: int) -> list[float]:
        return session.run({"ids": np.array([[token]], np.int64), "values": np.ones((1, 1), np.float32)})["logits"][0].tolist()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, [1, 4] * 200))
    assert found == [[3.0, 0.0], [0.0, 3.0]] * 200


def test_external_data_is_refused_wherever_it_hides(tmp_path: Path) -> None:
    inside = helper.make_node("Constant", [], ["y"], value=outside("hidden"))
    branch = helper.make_graph([inside], "branch", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    node = helper.make_node("If", ["condition"], ["z"], then_branch=branch, else_branch=branch)
    condition = helper.make_tensor_value_info("condition", TensorProto.BOOL, [])
    result = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])]
    for initializers, expected in (([], ["hidden", "hidden"]), ([outside("weight")], ["hidden", "hidden", "weight"])):
        model = helper.make_model(helper.make_graph([node], "g", [condition], result, initializers))
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        assert sorted(external_tensors(path)) == expected
        with pytest.raises(BundleError, match=r"keeps \d tensors in other files"):
            OnnxSession(path, 1)


def outside(name: str) -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.ones(1, np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, location="../../secret")
    tensor.ClearField("raw_data")
    return tensor


@pytest.mark.parametrize("content", [b"", b"hello, this is no graph", b"\x3a\xff\xff\xff\x7f", b"\x00" * 64, b"\xff" * 64])
def test_what_is_no_graph(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match="is no "):
        OnnxSession(path, 1)


def test_a_graph_cut_short(graph: Path) -> None:
    graph.write_bytes(graph.read_bytes()[:-20])
    with pytest.raises(BundleError, match="is no ONNX graph"):
        OnnxSession(graph, 1)


def test_size_limit_and_absence(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LARGEST", 100)
    with pytest.raises(BundleError, match="at most 2 GB"):
        OnnxSession(graph, 1)
    with pytest.raises(BundleError, match=r"has no other\.onnx"):
        OnnxSession(graph.with_name("other.onnx"), 1)


def test_a_gpu_multiplies_in_full_precision(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime as ort

    asked: list[object] = []
    make = ort.InferenceSession

    def session(path: Path, options: object, providers: list[object]) -> object:
        asked.extend(providers)
        return make(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider", "CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", session)
    OnnxSession(graph, 1)
    assert asked == [("CUDAExecutionProvider", {"use_tf32": "0"}), ("CPUExecutionProvider", {})]


def test_cores_are_at_least_one() -> None:
    assert available_cores() >= 1
