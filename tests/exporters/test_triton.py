"""The model repository: config.pbtxt by Triton's own names, and what it says held against the graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from onnx import TensorProto, helper, save

from autoft.errors import ExportError
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft_exporters.triton import MOST_ROWS, Port, Triton, config
from small_bundle import make_bundle

TYPES = {
    "TYPE_INVALID": None, "TYPE_BOOL": "bool", "TYPE_UINT8": "uint8", "TYPE_UINT16": "uint16", "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64", "TYPE_INT8": "int8", "TYPE_INT16": "int16", "TYPE_INT32": "int32", "TYPE_INT64": "int64",
    "TYPE_FP16": "float16", "TYPE_FP32": "float32", "TYPE_FP64": "float64", "TYPE_STRING": "object", "TYPE_BF16": "bfloat16",
}  # fmt: skip
KINDS = ("KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL")


def model_config() -> type:
    """A message of the fields of Triton's model_config.proto that a configuration here may have; any other is an error as it is read."""
    field, one, many = descriptor_pb2.FieldDescriptorProto, 1, 3
    file = descriptor_pb2.FileDescriptorProto(name="model_config.proto", package="inference", syntax="proto3")
    for name, values in (("DataType", TYPES), ("Kind", KINDS)):
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)

    def message(called: str, /, **fields: tuple[int, int, str]) -> None:
        added = file.message_type.add(name=called)
        for number, (label, (kind, repeated, of)) in enumerate(fields.items(), 1):
            added.field.add(name=label, number=number, type=kind, label=repeated, type_name=f".inference.{of}" if of else None)

    tensor = {"name": (field.TYPE_STRING, one, ""), "data_type": (field.TYPE_ENUM, one, "DataType"), "dims": (field.TYPE_INT64, many, "")}
    message("ModelInput", **tensor)
    message("ModelOutput", **tensor)
    message("ModelInstanceGroup", kind=(field.TYPE_ENUM, one, "Kind"), count=(field.TYPE_INT32, one, ""))
    message(
        "ModelConfig",
        name=(field.TYPE_STRING, one, ""),
        backend=(field.TYPE_STRING, one, ""),
        max_batch_size=(field.TYPE_INT32, one, ""),
        input=(field.TYPE_MESSAGE, many, "ModelInput"),
        output=(field.TYPE_MESSAGE, many, "ModelOutput"),
        instance_group=(field.TYPE_MESSAGE, many, "ModelInstanceGroup"),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))


CONFIG = model_config()


def read(text: str) -> Any:
    return text_format.Parse(text, CONFIG())


def facts(folder: Path, **changes: Any) -> BundleFacts:
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    graphs = tuple(name for name in files if name.endswith(".onnx"))
    return replace(BundleFacts(folder, "a" * 64, "text-classification", "linear", "0.1.0", files, graphs, {}), **changes)


def packaged(bundle: BundleFacts, folder: Path) -> Packaged:
    folder.mkdir()
    made = Triton().package(bundle, folder)
    assert sorted(made.files) == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return made


def check(model: Path, free: int = 5) -> Any:
    """The configuration of a model: read, compared with the graph by the onnx package, and run in the shapes it allows."""
    import onnxruntime as ort

    found = read((model / "config.pbtxt").read_text(encoding="utf-8"))
    assert found.name == model.name
    assert found.backend == "onnxruntime"
    assert [(group.kind, group.count) for group in found.instance_group] == [(KINDS.index("KIND_CPU"), 1)]
    graph = onnx.load(model / "1" / "model.onnx").graph
    for said, real in ((found.input, graph.input), (found.output, graph.output)):
        assert [one.name for one in said] == [one.name for one in real]
        for one, tensor in zip(said, real, strict=True):
            kind = tensor.type.tensor_type
            assert np.dtype(list(TYPES.values())[one.data_type]) == helper.tensor_dtype_to_np_dtype(kind.elem_type)
            axes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
            assert list(one.dims) == (axes[1:] if found.max_batch_size else axes)
            assert not found.max_batch_size or axes[0] == -1
    session = ort.InferenceSession(model / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    for rows in (1, 3):
        batch = [rows] if found.max_batch_size else []
        arrays = {
            one.name: np.ones([*batch, *(free if d < 0 else d for d in one.dims)], list(TYPES.values())[one.data_type])
            for one in found.input
        }
        outputs = session.run([one.name for one in found.output], arrays)
        for one, array in zip(found.output, outputs, strict=True):
            assert array.dtype == list(TYPES.values())[one.data_type]
            assert all(said in (-1, real) for said, real in zip([*batch, *one.dims], array.shape, strict=True))
    return found


def test_a_graph_of_features(tmp_path: Path) -> None:
    made = packaged(facts(make_bundle(tmp_path / "bundle")), tmp_path / "out")
    (model,) = (tmp_path / "out" / "model_repository").iterdir()
    assert model.name == "autoft-text-classification-linear"
    found = check(model)
    assert found.max_batch_size == MOST_ROWS
    assert [(one.name, list(one.dims)) for one in found.input] == [("ids", [-1]), ("values", [-1])]
    assert [(one.name, list(one.dims)) for one in found.output] == [("logits", [2])]
    assert (model / "1" / "model.onnx").read_bytes() == (tmp_path / "bundle" / "onnx" / "model.onnx").read_bytes()
    assert made.next_steps[0] == "tritonserver --model-repository model_repository"
    assert made.next_steps[1] == f"{model.name} takes ids, values and gives logits"
    assert "dynamic_batching" in (model / "config.pbtxt").read_text(), "why it is off is said"


@pytest.mark.slow
def test_a_transformer(exported_full: Callable[[str], Any], tmp_path: Path) -> None:
    exported = exported_full("bert")
    packaged(facts(exported.folder, candidate="full:tiny-bert"), tmp_path / "out")
    found = check(tmp_path / "out" / "model_repository" / "autoft-text-classification-full-tiny-bert")
    assert found.max_batch_size == MOST_ROWS
    assert {one.name: list(one.dims) for one in found.input} == {"input_ids": [-1], "attention_mask": [-1], "token_type_ids": [-1]}
    assert {one.name: list(one.dims) for one in found.output} == {"logits": [2]}


@pytest.mark.slow
def test_a_model_that_writes_is_two_models(writer: Any, writing_data: Any, tmp_path: Path) -> None:
    from autoft_exporters.onnx_fp32 import OnnxFp32

    (tmp_path / "bundle").mkdir()
    OnnxFp32().export(writer[0].program(), writing_data.problem, tmp_path / "bundle")
    made = packaged(facts(tmp_path / "bundle", task="seq2seq", candidate="full:tiny-t5"), tmp_path / "out")
    repository = tmp_path / "out" / "model_repository"
    encoder, decoder = check(repository / "autoft-seq2seq-full-tiny-t5-encoder"), check(repository / "autoft-seq2seq-full-tiny-t5-decoder")
    assert encoder.max_batch_size == decoder.max_batch_size == MOST_ROWS
    assert [one.name for one in encoder.output] == ["last_hidden_state"]
    assert [one.name for one in decoder.output] == ["logits"]
    assert {one.name: len(one.dims) for one in decoder.input} == {
        "input_ids": 1, "encoder_attention_mask": 1, "encoder_hidden_states": 2
    }  # fmt: skip
    assert any("two models" in step for step in made.next_steps)


def identity(path: Path, kind: int, shape: Sequence[int | str], output: Sequence[int | str] | None = None) -> None:
    path.parent.mkdir(parents=True)
    ends = [helper.make_tensor_value_info(name, kind, axes) for name, axes in (("x", shape), ("y", output or shape))]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.mark.parametrize(
    ("kind", "shape", "rows", "dims"),
    [
        (TensorProto.DOUBLE, ["batch", 3, "width"], MOST_ROWS, [3, -1]),
        (TensorProto.INT32, ["batch", "batch"], MOST_ROWS, [-1]),
        (TensorProto.FLOAT16, [2, 3], 0, [2, 3]),
        (TensorProto.BOOL, ["batch"], 0, [-1]),
        (TensorProto.UINT8, [1, "width"], 0, [1, -1]),
    ],
)
def test_shapes_and_types(tmp_path: Path, kind: int, shape: list[int | str], rows: int, dims: list[int]) -> None:
    identity(tmp_path / "bundle" / "onnx" / "model.onnx", kind, shape)
    packaged(facts(tmp_path / "bundle"), tmp_path / "out")
    found = check(tmp_path / "out" / "model_repository" / "autoft-text-classification-linear")
    assert (found.max_batch_size, list(found.input[0].dims), list(found.output[0].dims)) == (rows, dims, dims)


def test_outputs_that_are_no_rows_of_the_inputs_make_no_batch(tmp_path: Path) -> None:
    ports = Port("x", "tensor(float)", ("batch", 3)), Port("y", "tensor(float)", ("pairs", 3))
    found = read(config(facts(make_bundle(tmp_path / "bundle")), "m", ports[:1], ports[1:]))
    assert (found.max_batch_size, list(found.input[0].dims), list(found.output[0].dims)) == (0, [-1, 3], [-1, 3])


@pytest.mark.parametrize("name", ['x"\n  dims: [ 9 ]', "a'b\\n", "größe", "\0\x7f", " ] max_batch_size: 9 #"])
def test_names_of_inputs_are_texts_and_nothing_else(tmp_path: Path, name: str) -> None:
    ports = Port(name, "tensor(float)", ("batch", 3)), Port("y", "tensor(float)", ("batch", 2))
    found = read(config(facts(make_bundle(tmp_path / "bundle")), "m", ports[:1], ports[1:]))
    assert (found.input[0].name, list(found.input[0].dims), found.max_batch_size) == (name, [3], MOST_ROWS)


def test_names_of_the_bundle_do_not_leave_the_folder(tmp_path: Path) -> None:
    bundle = facts(make_bundle(tmp_path / "bundle"), task="../..", candidate='a/b"\nplatform: "evil')
    packaged(bundle, tmp_path / "out")
    (model,) = (tmp_path / "out" / "model_repository").iterdir()
    assert model.name == "autoft-a-b-platform-evil"
    check(model)


def test_what_triton_cannot_take_is_refused(tmp_path: Path) -> None:
    bundle = facts(make_bundle(tmp_path / "bundle"))
    for port, told in (
        (Port("x", "seq(tensor(float))", ("batch", 2)), "no type for 'x', which is a seq"),
        (Port("x", "tensor(float)", ()), "no 'x', which has no axis"),
    ):
        with pytest.raises(ExportError, match=told.replace("(", r"\(")):
            config(bundle, "m", [port], [port])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match="serves no ONNX graph"):
        Triton().package(replace(bundle, graphs=("openvino/model.xml",)), tmp_path / "empty")
    (bundle.folder / "onnx" / "model.onnx").write_bytes(b"none")
    with pytest.raises(ExportError, match="no graph that onnxruntime"):
        Triton().package(bundle, tmp_path / "empty")
