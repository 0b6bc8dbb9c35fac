"""Two texts a row, each in sub-word tokens of its own: for graphs that read them apart and compare what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Encoded, Encoding, Tensor
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, TokenEncoding, open_tokenizer

ALONE = "text"
"""The column of a table that has a text a row."""


class TokenPairEncoder:
    """Opens a `TokenPairEncoding` from a folder with tokenizer.json.

    Config: that of `tokens` with two `fields`; `max_length` is that of each text.
    """

    name = "token-pairs"
    summary = "sub-word tokens of two texts, each apart"

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        tokenizer = open_tokenizer(folder / TOKENIZER_FILE, int(config["max_length"]))
        return TokenPairEncoding(TokenEncoding(tokenizer, alone(config)), config["fields"])


def alone(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of `tokens` for each text on its own, in the rows that `one_by_one` gives."""
    return {**config, "fields": [ALONE]}


def one_by_one(rows: Table, fields: Sequence[str]) -> Table:
    """A text a row: those of the first row in the order of `fields`, then those of the second, and so on."""
    return Table({ALONE: list(chain.from_iterable(zip(*(rows[name] for name in fields), strict=True)))})


class TokenPairEncoding:
    """Right-padded to the longest text of a batch; a text that is too long is cut, whatever the length of the other. `texts` reads one
    text, in the column `ALONE`."""

    def __init__(self, texts: TokenEncoding, fields: Sequence[str]) -> None:
        self._fields = tuple(map(str, fields))
        if len(self._fields) != 2:
            raise ValueError(f"pairs are of two texts, not of {len(self._fields)}")
        self._texts = texts

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(Tensor(tensor.name, tensor.dtype, ("batch", 2, "length")) for tensor in self._texts.inputs)

    @property
    def max_length(self) -> int | None:
        """Of each text."""
        return self._texts.max_length

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays of shape (rows, 2, longest text), or (rows, 2, `pad_to`) where that is longer; int64. `lengths` are those of the longer
        text of a row; `unknown` counts, and `offsets` join, those of both."""
        texts = self._texts.encode(one_by_one(rows, self._fields), pad_to=pad_to, offsets=offsets)
        arrays = {name: array.reshape(len(rows), 2, array.shape[1]) for name, array in texts.arrays.items()}
        unknown = None if texts.unknown is None else np.add(*_sides(texts.unknown))
        spans = None if texts.offsets is None else tuple(a + b for a, b in zip(texts.offsets[::2], texts.offsets[1::2], strict=True))
        return Encoded(arrays, np.maximum(*_sides(texts.lengths)), np.logical_or(*_sides(texts.truncated)), unknown, spans)

    def resized(self, rows: Table, length: int) -> Table:
        """Rows whose texts are cut at a token's end, or repeated and then cut, so that each has about `length` tokens."""
        texts = self._texts.resized(one_by_one(rows, self._fields), length)[ALONE]
        return rows.with_columns({**rows.columns, **{name: texts[place::2] for place, name in enumerate(self._fields)}})


def _sides(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Of the first texts, and of the second."""
    return values[::2], values[1::2]
