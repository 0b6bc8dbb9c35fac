"""Writes a graph and its weights into one ONNX file, weights streamed: the whole is never copied in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autoft.errors import ExportError

if TYPE_CHECKING:
    import onnx
    import onnx_ir

LARGEST = 2**31 - 1
"""Bytes: protobuf readers take no larger message."""

# Field numbers of onnx.proto, as the tags of length-delimited fields.
_MODEL_GRAPH = bytes([7 << 3 | 2])
_GRAPH_INITIALIZER = bytes([5 << 3 | 2])
_TENSOR_RAW_DATA = bytes([9 << 3 | 2])


def write_proto(model: onnx.ModelProto, path: Path) -> None:
    """A message that is whole already. Raises ExportError when it is over 2 GB or keeps data in other files."""
    from onnx.external_data_helper import uses_external_data

    if any(uses_external_data(tensor) for tensor in model.graph.initializer):
        raise ExportError(f"the graph for {path.name} keeps weights in other files; a bundle's graph is one file")
    _check_size(model.ByteSize(), path)
    path.write_bytes(model.SerializeToString())


def write_ir(model: onnx_ir.Model, path: Path) -> None:
    """A graph whose weights are still those of the module it came from. Raises ExportError when it is over 2 GB."""
    import onnx_ir

    weights = dict(model.graph.initializers)
    model.graph.initializers.clear()
    try:
        skeleton = onnx_ir.to_proto(model)
    finally:
        model.graph.initializers.update(weights)
    graph = skeleton.graph.SerializeToString()
    skeleton.ClearField("graph")
    head = skeleton.SerializeToString()
    numbers = {name: _numbers(name, value.const_value) for name, value in weights.items()}
    tensors = [(_header(name, tensor), tensor) for name, tensor in numbers.items()]
    bodies = [len(header) + 1 + len(_varint(tensor.nbytes)) + tensor.nbytes for header, tensor in tensors]
    total = len(graph) + sum(1 + len(_varint(body)) + body for body in bodies)
    _check_size(len(head) + 6 + total, path)
    with path.open("wb") as file:
        file.write(head + _MODEL_GRAPH + _varint(total) + graph)
        for (header, tensor), body in zip(tensors, bodies, strict=True):
            file.write(_GRAPH_INITIALIZER + _varint(body) + header + _TENSOR_RAW_DATA + _varint(tensor.nbytes))
            file.write(tensor.tobytes())  # little-endian, as raw_data wants them


def _numbers(name: str, tensor: onnx_ir.TensorProtocol | None) -> onnx_ir.TensorProtocol:
    if tensor is None or tensor.dtype.name == "STRING":
        raise ExportError(f"the graph's weight {name!r} is no array of numbers")
    return tensor


def _header(name: str, tensor: onnx_ir.TensorProtocol) -> bytes:
    from onnx import TensorProto

    header: bytes = TensorProto(name=name, data_type=tensor.dtype.value, dims=tensor.shape.numpy()).SerializeToString()
    return header


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _check_size(size: int, path: Path) -> None:
    if size > LARGEST:
        raise ExportError(
            f"{path.name} would have {size:,} bytes; an ONNX file is at most 2 GB", hint="choose a smaller source with --models"
        )
