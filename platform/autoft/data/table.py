"""A table of rows in memory: the form in which data travels from a reader to a model and to a predictor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
"""Row numbers, shape (n,)."""


class Records:
    """The rows of columns as dictionaries: none of them is kept, and they can be gone through again."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return next((len(values) for values in self._columns.values()), 0)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for values in zip(*self._columns.values(), strict=True):
            yield dict(zip(self._columns, values, strict=True))


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    `origin` is the file the rows came from; `notes` are remarks of the reader that the user should see, such as
    the encoding it recognised; `numbers` are those of the rows in their file, counted from 1 below the header, for messages.
    """

    columns: Mapping[str, Sequence[Any]]
    origin: str = ""
    notes: tuple[str, ...] = ()
    numbers: tuple[int, ...] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of unequal length: {lengths}")

    def __len__(self) -> int:
        return next((len(values) for values in self.columns.values()), 0)

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def number(self, row: int) -> int:
        """Which row of its file row `row` is, counted from 1: rows that were left out before it count."""
        return row + 1 if self.numbers is None else self.numbers[row]

    def with_columns(self, columns: Mapping[str, Sequence[Any]]) -> Table:
        """Other columns of the same rows."""
        return replace(self, columns=columns)

    def take(self, rows: npt.ArrayLike) -> Table:
        """The rows with these positions, in this order."""
        wanted = np.asarray(rows, dtype=np.int64).tolist()
        columns = {name: [values[i] for i in wanted] for name, values in self.columns.items()}
        return replace(self, columns=columns, numbers=tuple(map(self.number, wanted)))

    def sizes(self) -> list[int]:
        """How long each row is: the characters of its texts and the items of its lists. Rows of like size have encodings of like length."""
        sizes = [0] * len(self)
        for values in self.columns.values():
            for row, value in enumerate(values):
                sizes[row] += len(value) if isinstance(value, str | list | tuple) else 0
        return sizes

    def records(self) -> Records:
        """One dictionary a row, made as it is asked for; as often as it is asked for."""
        return Records(self.columns)

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]], origin: str = "") -> Table:
        """The union of all keys, in order of appearance; an absent value is None."""
        names = list(dict.fromkeys(name for record in records for name in record))
        return cls({name: [record.get(name) for record in records] for name in names}, origin)

    def sha256(self) -> str:
        """A hash of the names and values, independent of the file format they came from."""
        digest = hashlib.sha256()
        for name, values in self.columns.items():
            digest.update(json.dumps([name, list(values)], default=str, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()
