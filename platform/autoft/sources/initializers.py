"""Recover the weights of an ONNX graph that torch exported: its initializers, under the names they had in the module.

Reads the few protobuf fields that matter (onnx.proto: ModelProto.graph, GraphProto.node and .initializer), so that nothing of
the `train` extra but safetensors is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.errors import SourceError

_TYPES = {1: "<f4", 7: "<i8", 10: "<f2", 11: "<f8"}  # TensorProto.DataType
_Field = tuple[int, int | memoryview]


def to_safetensors(graph: Path, target: Path) -> None:
    """Write the float initializers of `graph` to `target`, bit by bit as they are.

    A matrix that the exporter transposed and renamed (`onnx::MatMul_n`) gets back its orientation and, from the node that uses
    it, its name. Raises SourceError when a tensor cannot be named or its type is not known.
    """
    from safetensors.numpy import save_file

    try:
        weights = named_weights(memoryview(graph.read_bytes()))
    except (IndexError, ValueError) as error:
        raise SourceError(f"{graph.name} is not a whole ONNX file: {error}") from error
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, target, metadata={"format": "pt"})


def named_weights(model: memoryview) -> dict[str, npt.NDArray[np.generic]]:
    """The initializers of a serialized ModelProto by the names of the module they were exported from."""
    body = next((value for number, value in _fields(model) if number == 7 and isinstance(value, memoryview)), None)
    if body is None:
        raise SourceError("the ONNX file holds no graph")
    initializers = dict(_tensor(value) for number, value in _fields(body) if number == 5 and isinstance(value, memoryview))
    users = _users(body, initializers)
    prefix = _common_scope([name for name in initializers if "::" not in name])
    weights = {}
    for name, value in initializers.items():
        if "::" not in name:
            weights[name.removeprefix(prefix)] = value
        elif value.ndim == 2 and users.get(name, "").endswith("/MatMul"):
            scope = users[name].removesuffix("/MatMul").strip("/").replace("/", ".")
            weights[scope.partition(prefix)[2] + ".weight"] = value.T
        else:
            raise SourceError(f"the tensor {name} of the ONNX file cannot be named")
    if not weights or len(weights) != len(initializers):
        raise SourceError("the weights of the ONNX file cannot be told apart by name")
    return weights


def _common_scope(names: list[str]) -> str:
    """`model.0.` of model.0.embeddings.x and model.0.encoder.y."""
    scopes = [name.split(".")[:-1] for name in names]
    common = []
    for parts in zip(*scopes, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "".join(f"{part}." for part in common)


def _users(graph: memoryview, wanted: dict[str, npt.NDArray[np.generic]]) -> dict[str, str]:
    """Initializer -> name of the node that takes it."""
    users = {}
    for number, node in _fields(graph):
        if number == 1 and isinstance(node, memoryview):
            fields = [(key, bytes(value).decode()) for key, value in _fields(node) if key in (1, 3) and isinstance(value, memoryview)]
            name = next((text for key, text in fields if key == 3), "")
            users.update({text: name for key, text in fields if key == 1 and text in wanted})
    return users


def _tensor(body: memoryview) -> tuple[str, npt.NDArray[np.generic]]:
    dims: list[int] = []
    kind, name, raw = 0, "", b""
    for number, value in _fields(body):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8 and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif number in (4, 9) and isinstance(value, memoryview):
            raw = bytes(value)
        elif number == 13:
            raise SourceError(f"the tensor {name or '?'} of the ONNX file lies in another file: refused")
    if kind not in _TYPES:
        raise SourceError(f"the tensor {name} of the ONNX file is of type {kind}; known: {sorted(_TYPES)}")
    return name, np.frombuffer(raw, dtype=_TYPES[kind]).reshape(dims)


def _fields(body: memoryview) -> Iterator[_Field]:
    """Field number and value of a protobuf message: an integer, or the bytes of what has a length."""
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(body, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = _varint(body, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > len(body):
            raise ValueError(f"it ends inside a field at byte {at}")
        yield key >> 3, body[at : at + size]
        at += size


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError(f"a number without end at byte {at}")


def _varints(body: memoryview) -> Iterator[int]:
    at = 0
    while at < len(body):
        value, at = _varint(body, at)
        yield value
