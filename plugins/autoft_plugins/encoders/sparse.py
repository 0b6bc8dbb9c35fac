"""What the encodings in front of linear models share: a unit (a row, or a word of it) is some numbered features with values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays, Encoded, Tensor

VOCABULARY_FILE = "vocabulary.json"
PADDING = 0
"""The id that fills a unit up; its weights are zero. Features are numbered from 1."""

Features: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""Ids and their values, each (features,)."""

NOTHING: Features = (np.array([PADDING], dtype=np.int64), np.zeros(1, dtype=np.float32))
"""Of a unit without a known feature."""

_Read = TypeVar("_Read")


class SparseEncoding(ABC):
    """`ids` int64 and `values` float32, both (units, features), filled up with id 0 and value 0."""

    name: str
    """The encoder that opens it."""
    inputs = (Tensor("ids", "int64", ("batch", "features")), Tensor("values", "float32", ("batch", "features")))
    max_length: int | None = None

    @property
    @abstractmethod
    def size(self) -> int:
        """One more than the largest id."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What the encoder needs beside the vocabulary."""

    @abstractmethod
    def vocabulary_json(self) -> bytes:
        """The content of vocabulary.json."""

    @abstractmethod
    def units(self, rows: Table) -> list[Features]:
        """The features of each unit, row after row."""

    def collector(self, rows: Table) -> Callable[[Arrays], Arrays] | None:  # noqa: ARG002
        """What turns outputs of units into those of rows; None where a unit is a row."""
        return None

    def sparse(self, rows: Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """All features end to end: ids, values, and where each unit starts (units + 1)."""
        found = self.units(rows)
        starts = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in found])]).astype(np.int64)
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), starts
        return np.concatenate([ids for ids, _ in found]), np.concatenate([values for _, values in found]), starts

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:  # noqa: ARG002
        """`pad_to` counts features; `offsets` are not known here and stay None."""
        found = self.units(rows)
        width = max(max((len(ids) for ids, _ in found), default=1), pad_to or 1)
        ids = np.full((len(found), width), PADDING, dtype=np.int64)
        values = np.zeros((len(found), width), dtype=np.float32)
        for unit, (unit_ids, unit_values) in enumerate(found):
            ids[unit, : len(unit_ids)] = unit_ids
            values[unit, : len(unit_ids)] = unit_values
        arrays: Arrays = {"ids": ids, "values": values}
        return Encoded(arrays, self.lengths(rows, found), np.zeros(len(rows), dtype=np.bool_), collect=self.collector(rows))

    def lengths(self, rows: Table, found: Sequence[Features]) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """Units of length a row, (n,), where `found` are its features."""
        return np.array([len(ids) for ids, _ in found], dtype=np.int64)

    def resized(self, rows: Table, length: int) -> Table:  # noqa: ARG002
        """The rows as they are: a text has as many features as it has known terms."""
        return rows


def texts_of(rows: Table, role: str) -> list[str]:
    """A column of texts; an absent value is an empty one."""
    return ["" if value is None else str(value) for value in rows[role]]


def read_vocabulary(folder: Path, name: str, parse: Callable[[bytes], _Read]) -> _Read:
    """The vocabulary in a bundle's folder, for the encoder `name`. Raises BundleError when it is missing or damaged."""
    path = folder / VOCABULARY_FILE
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        hint = "export the run again, or copy the whole bundle folder"
        raise BundleError(f"{folder} has no {VOCABULARY_FILE}, which its encoder {name!r} needs", hint=hint) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot read {path}: {error}", hint="copy the bundle again from where it was made") from error
