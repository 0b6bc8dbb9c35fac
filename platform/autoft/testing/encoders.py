"""What an encoder has to keep."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Encoder, Encoding, Tensor
from autoft.testing.contract import Contract
from autoft.testing.samples import reviews

MEMBERS = ("inputs", "max_length", "encode", "resized")
"""What an opened encoder has."""
FURTHER = 3
"""Units beyond the longest row that rows are filled up to."""


def check_encoder(
    encoder: Encoder, config: Mapping[str, Any] | None = None, files: Mapping[str, bytes] | None = None, rows: Table | None = None
) -> None:
    """Hold `encoder` to `autoft.interfaces.encoder.Encoder`, opened with what a model gives it: the `config` and `files` of its
    `EncoderSpec`. `rows` are inputs by role; without them texts.

    Raises ContractBroken.
    """
    contract = Contract.of("encoder", encoder)
    heavy = "torch" in sys.modules
    contract.is_json(dict(config or {}), "the config", "open")
    rows = Table({"text": reviews(12)["text"]}) if rows is None else rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (files or {}).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        with contract.asking("open", "to open a bundle's folder"):
            encoding = encoder.open(folder, dict(config or {}))
    absent = [name for name in MEMBERS if not hasattr(encoding, name)]
    what = f"open gave {type(encoding).__name__}, which is no Encoding: it lacks {', '.join(absent)}"
    contract.holds(not absent, what, f"Encoding.{absent[0]}" if absent else "")
    if files:
        with tempfile.TemporaryDirectory() as empty, contract.refusing("open", "a folder without its files", BundleError):
            encoder.open(Path(empty), dict(config or {}))
    _check_encoding(contract, encoding, rows)
    contract.holds(heavy or "torch" not in sys.modules, "it imports torch; an encoder runs in production, on numpy and nothing heavier")


def _check_encoding(contract: Contract, encoding: Encoding, rows: Table) -> None:
    tensors = {tensor.name: tensor for tensor in encoding.inputs}
    contract.holds(bool(tensors), "its encoding names no inputs", "Encoding.inputs")
    encoded = _encoded(contract, encoding, rows, tensors)
    again = _encoded(contract, encoding, rows, tensors)
    alike = all(np.array_equal(encoded.arrays[name], again.arrays[name]) for name in tensors)
    contract.holds(alike, "encode gives the same rows other arrays the second time", "Encoding.encode")
    none = _encoded(contract, encoding, rows.take([]), tensors)
    contract.holds(len(none.lengths) == 0, "encode finds rows where there are none", "Encoding.encode")
    if encoded.collect is None:
        _check_neighbours(contract, encoding, rows, encoded, tensors)
    if encoding.max_length is not None:
        longest = int(encoded.lengths.max(initial=0))
        contract.holds(longest <= encoding.max_length, f"a row has {longest} units, max_length is {encoding.max_length}", "Encoding.encode")
        if encoded.collect is None:
            _check_padding(contract, encoding, rows, encoded, min(encoding.max_length, longest + FURTHER))
    with contract.asking("Encoding.resized", "for rows of another length"):
        resized = encoding.resized(rows, 5)
    contract.holds(len(resized) == len(rows), f"resized gave {len(resized)} of {len(rows)} rows", "Encoding.resized")


def _encoded(contract: Contract, encoding: Encoding, rows: Table, tensors: Mapping[str, Tensor]) -> Encoded:
    with contract.asking("Encoding.encode", f"to encode {len(rows)} rows"):
        encoded = encoding.encode(rows)
    contract.holds(isinstance(encoded, Encoded), f"encode gave {type(encoded).__name__}, not Encoded", "Encoding.encode")
    contract.holds(
        encoded.arrays.keys() == tensors.keys(), f"encode fills {list(encoded.arrays)}, the inputs are {list(tensors)}", "Encoding.encode"
    )
    for name, array in encoded.arrays.items():
        tensor = tensors[name]
        contract.holds(str(array.dtype) == tensor.dtype, f"{name} is {array.dtype}, {tensor.dtype} was promised", "Encoding.encode")
        fixed = len(array.shape) == len(tensor.axes) and all(
            isinstance(axis, str) or axis == size for axis, size in zip(tensor.axes, array.shape, strict=True)
        )
        contract.holds(fixed, f"{name} has shape {array.shape}, {tensor.axes} was promised", "Encoding.encode")
        counted = encoded.collect is not None or len(array) == len(rows)
        contract.holds(
            counted, f"{name} has {len(array)} rows of {len(rows)}, and there is no `collect` to bring them together", "Encoding.encode"
        )
    for what in ("lengths", "truncated"):
        shape = np.shape(getattr(encoded, what))
        contract.holds(shape == (len(rows),), f"{what} has shape {shape}, not ({len(rows)},)", "Encoding.encode")
    return encoded


def _check_padding(contract: Contract, encoding: Encoding, rows: Table, encoded: Encoded, pad_to: int) -> None:
    """Rows have a length: their arrays are as long as the longest, or as they are asked to be, and hold the same beside what fills up."""
    member, longest = "Encoding.encode", int(encoded.lengths.max(initial=0))
    varying = [tensor for tensor in encoding.inputs if any(isinstance(axis, str) for axis in tensor.axes[1:])]
    with contract.asking(member, f"to fill rows of {longest} units up to {pad_to}"):
        padded = encoding.encode(rows, pad_to=pad_to)
    for tensor in varying:
        axes = [place for place, axis in enumerate(tensor.axes) if place and isinstance(axis, str)]
        plain, filled = encoded.arrays[tensor.name], padded.arrays[tensor.name]
        room = max(plain.shape[axis] for axis in axes)
        contract.holds(longest <= room, f"lengths tell of {longest} units, {tensor.name} has room for {room}", member)
        told = f"{tensor.name} has shape {filled.shape} where rows of {longest} units were to be filled up to {pad_to} (pad_to)"
        contract.holds(any(filled.shape[axis] == pad_to for axis in axes), told, member)
        common = tuple(slice(min(sizes)) for sizes in zip(plain.shape, filled.shape, strict=True))
        contract.holds(np.array_equal(plain[common], filled[common]), f"{tensor.name} of a row changes as it is filled up (pad_to)", member)


def _check_neighbours(contract: Contract, encoding: Encoding, rows: Table, encoded: Encoded, tensors: Mapping[str, Tensor]) -> None:
    """A row is encoded alike whoever stands beside it, but for what fills it up."""
    for row in range(min(3, len(rows))):
        alone = encoding.encode(rows.take([row]))
        for name in tensors:
            one, among = alone.arrays[name][0], encoded.arrays[name][row]
            common = tuple(slice(min(sizes)) for sizes in zip(one.shape, among.shape, strict=True))
            contract.holds(np.array_equal(one[common], among[common]), f"{name} of a row depends on the rows beside it", "Encoding.encode")
