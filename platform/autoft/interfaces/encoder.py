"""Encoders turn rows into the arrays a graph takes. They run in production: numpy and nothing heavier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

MOST_CELLS = 2**13
"""Windows times their width that go through a graph at once, so that the memory does not grow with the longest row."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph. `dtype` is numpy's name, e.g. "int64" or "float32". An axis is a fixed size or the name of one that
    varies, e.g. ("batch", "length"): the first is that of the rows."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder by name with what it needs: JSON `config`, which goes into autoft.json, and `files`, contents by path in the bundle.
    A model names it in its `Program`, learned vocabularies and all; in production `Encoder.open` gets the bundle's folder and the same
    config.
    """

    name: str
    config: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoded:
    """`arrays` by input name, first axis = rows; `truncated` (n,) tells which rows lost content to `max_length`;
    `unknown` and `lengths` (n,) count unknown and all units, where the encoder has such a notion: tokens, words. What only fills a row up
    is not counted, so that no length is more than the axis. `offsets`, where they were asked for: of each row where its units lie in its
    text, (start, end) in characters.

    `collect`, where it is given, turns the graph's outputs for `arrays` into outputs of the rows: a row may have several windows,
    and its outputs may be those of its words or a text. Axes that vary between rows are filled up with zeros.
    """

    arrays: Arrays
    lengths: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.int64] | None = None
    offsets: tuple[tuple[tuple[int, int], ...], ...] | None = None
    collect: Callable[[Arrays], Arrays] | None = None

    def by_row(self, outputs: Arrays) -> Arrays:
        """The graph's outputs for `arrays` with the rows as first axis."""
        return self.collect(outputs) if self.collect else outputs

    def answered(self, run: Callable[[Arrays], Arrays]) -> Arrays:
        """What a graph gives, by row. Where rows have several windows, it is asked about some of them at a time, about `MOST_CELLS`: a long
        row may have hundreds."""
        windows = max(map(len, self.arrays.values()), default=0)
        width = max((array.shape[1] for array in self.arrays.values() if array.ndim > 1), default=1)
        at_once = max(1, MOST_CELLS // max(1, width))
        if windows <= max(at_once, len(self.lengths)):
            return self.by_row(run(self.arrays))
        pieces: list[tuple[range, Arrays]] = []
        for start in range(0, windows, at_once):
            some = range(start, min(start + at_once, windows))
            pieces.append((some, run({name: array[start : start + at_once] for name, array in self.arrays.items()})))
        return self.by_row(joined(pieces, windows))


class Encoding(Protocol):
    """An opened encoder."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The graph inputs it fills: names, types and axes of all that `encode` gives, and nothing else."""
        ...

    @property
    def max_length(self) -> int | None:
        """The most units of an encoded row; longer ones are cut, and `Encoded.truncated` says so. None where rows have no length."""
        ...

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays for `rows` (columns named by role), padded to the longest row, or to `pad_to` units if that is more; what has no length
        has nothing to pad. No rows at all give arrays of no rows. `offsets`: fill `Encoded.offsets`, where units are pieces of a text.

        The same row has the same arrays in every process and beside any others: a server is another process than that which learned, and
        `hash()` of a text and the order of a set differ between processes.
        """
        ...

    def resized(self, rows: Table, length: int) -> Table:
        """Rows like these whose encodings have about `length` units, by repeating or cutting their content: the proof asks the graph at
        lengths that the data do not have. The rows as they are if length has no meaning."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """The plugin: opens an encoding from a bundle's folder."""

    name: str
    summary: str

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        """Raises BundleError when a file is missing or unreadable."""
        ...


def joined(pieces: Sequence[tuple[Sequence[int] | npt.NDArray[np.int64], Arrays]], rows: int) -> Arrays:
    """Outputs of `rows` rows from those of parts of them, each with its row numbers; shorter axes are filled up with zeros."""
    return {name: _joined([(numbers, arrays[name]) for numbers, arrays in pieces], rows) for name in (pieces[0][1] if pieces else ())}


def _joined(pieces: Sequence[tuple[Any, npt.NDArray[Any]]], rows: int) -> npt.NDArray[Any]:
    shape = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for _, array in pieces), strict=True))
    whole = np.zeros((rows, *shape), dtype=np.result_type(*(array.dtype for _, array in pieces)))
    for numbers, array in pieces:
        corner: tuple[Any, ...] = (np.asarray(numbers), *(slice(size) for size in array.shape[1:]))
        whole[corner] = array
    return whole
