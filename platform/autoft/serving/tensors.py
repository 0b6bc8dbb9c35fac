"""Tensors of the Open Inference Protocol: JSON and the binary extension, both ways.

The formats are those of the protocol's HTTP/REST part (https://github.com/kserve/open-inference-protocol) and of its extension for binary
tensor data: behind the JSON, whose length a header gives, stand the raw values of the tensors in their order, little-endian and row-major;
an element of BYTES has its length before it, four bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoft.serving.requests import RequestError

HEADER = "Inference-Header-Content-Length"
"""Of a body whose JSON has binary tensors behind it."""

NUMBERS = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Datatypes of fixed size, and numpy's name of each."""
BYTES = "BYTES"
_MOST_AXES = 8


@dataclass(frozen=True)
class TensorIn:
    """`values` in row-major order: texts of BYTES, else numbers."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any]


def read_tensors(content: Mapping[str, Any], behind: bytes | memoryview) -> list[TensorIn]:
    """The `inputs` of a request; `behind` are the binary tensors after its JSON. Raises RequestError naming the field."""
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RequestError(422, "inputs should be a list of tensors", "inputs")
    found: list[TensorIn] = []
    rest = memoryview(behind)
    for number, tensor in enumerate(inputs):
        where = f"inputs.{number}"
        if not isinstance(tensor, Mapping):
            raise RequestError(422, f"{where} should be an object with name, shape, datatype and data", where)
        name, datatype, shape = _name(tensor, where), _datatype(tensor, where), _shape(tensor, where)
        if any(one.name == name for one in found):
            raise RequestError(422, f"{where}.name: {name} is there twice", f"{where}.name")
        size = _binary_size(tensor, where)
        if size is None:
            values = _from_json(tensor, where, datatype, shape)
        else:
            if size > len(rest):
                what = f"{where} should have {size:,} bytes behind the JSON, where {len(rest):,} are left"
                raise RequestError(422, what, f"{where}.parameters.binary_data_size")
            values = _from_bytes(bytes(rest[:size]), where, datatype, shape)
            rest = rest[size:]
        found.append(TensorIn(name, datatype, shape, values))
    if len(rest):
        raise RequestError(422, f"{len(rest):,} bytes are left behind the tensors", "inputs")
    return found


def split_body(body: bytes, header: str | None) -> tuple[bytes, bytes]:
    """The JSON, and what stands behind it by the header's word. Raises RequestError."""
    if header is None:
        return body, b""
    if not (header.isascii() and header.isdecimal()) or int(header) > len(body):
        raise RequestError(422, f"{HEADER} should be a length within the body's {len(body):,} bytes", HEADER)
    return body[: int(header)], body[int(header) :]


def _name(tensor: Mapping[str, Any], where: str) -> str:
    name = tensor.get("name")
    if not isinstance(name, str):
        raise RequestError(422, f"{where}.name should be a text", f"{where}.name")
    return name


def _datatype(tensor: Mapping[str, Any], where: str) -> str:
    datatype = tensor.get("datatype")
    if datatype != BYTES and (not isinstance(datatype, str) or datatype not in NUMBERS):
        raise RequestError(422, f"{where}.datatype should be one of {BYTES}, {', '.join(NUMBERS)}", f"{where}.datatype")
    return str(datatype)


def _shape(tensor: Mapping[str, Any], where: str) -> tuple[int, ...]:
    shape = tensor.get("shape")
    right = isinstance(shape, list) and 0 < len(shape) <= _MOST_AXES
    if not right or not all(type(size) is int and 0 <= size < 2**31 for size in shape or ()):
        raise RequestError(422, f"{where}.shape should be a list of whole numbers, the first of them the rows", f"{where}.shape")
    return tuple(shape or ())


def _binary_size(tensor: Mapping[str, Any], where: str) -> int | None:
    parameters = parameters_of(tensor, where)
    if "shared_memory_region" in parameters:
        what = "shared memory is not supported; send the tensor itself"
        raise RequestError(422, f"{where}: {what}", f"{where}.parameters.shared_memory_region")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        what = f"{where}.parameters.binary_data_size"
        raise RequestError(422, f"{what} should be a number of bytes", what)
    return size


def parameters_of(part: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The `parameters` of a request or a tensor, {} where there are none. Raises RequestError."""
    parameters = part.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        name = f"{where}.parameters" if where else "parameters"
        raise RequestError(422, f"{name} should be an object", name)
    return parameters or {}


def _from_json(tensor: Mapping[str, Any], where: str, datatype: str, shape: tuple[int, ...]) -> list[Any]:
    data = tensor.get("data")
    if not isinstance(data, list):
        raise RequestError(422, f"{where}.data should be a list", f"{where}.data")
    values = _flat(data, where)
    _check_count(len(values), where, shape, f"{where}.data")
    for value in values:
        if not _suits(value, datatype):
            raise RequestError(422, f"{where}.data should hold {_words(datatype)} only", f"{where}.data")
    return values


def _flat(data: list[Any], where: str) -> list[Any]:
    """Nested lists, which the protocol allows, without their nesting."""
    for _ in range(_MOST_AXES):
        if not any(isinstance(value, list) for value in data):
            return data
        data = [item for value in data for item in (value if isinstance(value, list) else [value])]
    raise RequestError(422, f"{where}.data is nested too deeply", f"{where}.data")


def _suits(value: object, datatype: str) -> bool:
    if datatype == BYTES:
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return datatype.startswith("FP") or isinstance(value, int)


def _words(datatype: str) -> str:
    if datatype == BYTES:
        return "texts"
    return {"BOOL": "true and false", "FP16": "numbers", "FP32": "numbers", "FP64": "numbers"}.get(datatype, "whole numbers")


def _from_bytes(content: bytes, where: str, datatype: str, shape: tuple[int, ...]) -> list[Any]:
    if datatype == BYTES:
        values: list[Any] = _texts(content, where)
    else:
        size = np.dtype(NUMBERS[datatype]).itemsize
        if len(content) % size:
            raise RequestError(422, f"{where}: {len(content):,} bytes are no whole number of {datatype}", where)
        array = np.frombuffer(content, NUMBERS[datatype])
        if not np.isfinite(array).all():
            raise RequestError(422, f"{where}: not every number is finite", where)
        values = array.tolist()
    _check_count(len(values), where, shape, where)
    return values


def _texts(content: bytes, where: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(content):
        if place + 4 > len(content):
            raise RequestError(422, f"{where}: the length of element {len(found)} is cut off", where)
        (size,) = struct.unpack_from("<I", content, place)
        place += 4
        if place + size > len(content):
            raise RequestError(422, f"{where}: element {len(found)} is cut off", where)
        try:
            found.append(content[place : place + size].decode())
        except UnicodeDecodeError:
            raise RequestError(422, f"{where}: element {len(found)} is no UTF-8", where) from None
        place += size
    return found


def _check_count(count: int, where: str, shape: tuple[int, ...], field: str) -> None:
    if count != math.prod(shape):
        raise RequestError(422, f"{where} has the shape {list(shape)}, but {count:,} values", field)


@dataclass(frozen=True)
class TensorOut:
    """`values` in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape), "data": list(self.values)}

    def as_bytes(self) -> tuple[dict[str, Any], bytes]:
        """What the JSON says of it, and the bytes behind the JSON."""
        if self.datatype == BYTES:
            texts = [str(value).encode("utf-8", "replace") for value in self.values]
            content = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        else:
            content = np.asarray(self.values, NUMBERS[self.datatype]).tobytes()
        said = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}
        return {**said, "parameters": {"binary_data_size": len(content)}}, content
