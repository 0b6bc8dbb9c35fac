"""Finds tensors of an ONNX file whose data lies in another file, without the onnx package.

Only the skeleton of the protobuf is walked (field numbers of onnx.proto); the data of tensors is skipped, so that a file of
hundreds of megabytes takes milliseconds.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION = range(7)

_CHILDREN: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _TENSOR: {},
}
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14
_DEEPEST = 64

Value = int | tuple[int, int]
"""A number, or the begin and end of a field's bytes."""


def external_tensors(path: Path) -> list[str]:
    """Names of the tensors that point to other files, in the order of the file; raises ValueError where the file is no protobuf."""
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return list(_walk(data, 0, len(data), _MODEL, 0))
        except IndexError:
            raise ValueError("the file is cut short") from None


def _walk(data: mmap.mmap, begin: int, end: int, kind: int, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"graphs nested deeper than {_DEEPEST}")
    children = _CHILDREN[kind]
    name, external = "", False
    for number, value in _fields(data, begin, end):
        if kind == _TENSOR:
            if number == _TENSOR_NAME and isinstance(value, tuple):
                name = data[value[0] : value[1]].decode("utf-8", "replace")
            external |= number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == 1)
        elif number in children and isinstance(value, tuple):
            yield from _walk(data, *value, children[number], depth + 1)
    if external:
        yield name


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, Value]]:
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        value: Value
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            size, begin = _varint(data, at)
            at = begin + size
            value = (begin, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
            value = (at, at)
        else:
            raise ValueError(f"unknown wire type {wire} at byte {at}")
        if at > end:
            raise ValueError(f"a field runs past its message at byte {at}")
        yield tag >> 3, value


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number of more than 64 bits at byte {at}")
