"""Encoders turn rows into the arrays a graph takes. They run in production: numpy and nothing heavier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph. An axis is a fixed size or the name of one that varies, e.g. ("batch", "length")."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder by name with what it needs: JSON `config` (into autoft.json) and `files` (into the bundle)."""

    name: str
    config: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoded:
    """`arrays` by input name, first axis = rows; `truncated` (n,) tells which rows lost content to `max_length`;
    `unknown` and `lengths` (n,) count unknown and all units, where the encoder has such a notion."""

    arrays: Arrays
    lengths: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.int64] | None = None
    offsets: tuple[tuple[tuple[int, int], ...], ...] | None = None


class Encoding(Protocol):
    """An opened encoder."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The graph inputs it fills."""
        ...

    @property
    def max_length(self) -> int | None:
        """The longest encoding, or None where rows have no length."""
        ...

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays for `rows` (columns named by role), padded to the longest row, or to `pad_to` if that is longer."""
        ...

    def resized(self, rows: Table, length: int) -> Table:
        """Rows like these whose encodings have about `length` units, for the proof; the rows as they are if length has no meaning."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """The plugin: opens an encoding from a bundle's folder."""

    name: str
    summary: str

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        """Raises BundleError when a file is missing or unreadable."""
        ...
