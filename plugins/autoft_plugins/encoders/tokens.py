"""Sub-word tokens for transformer graphs, by the `tokenizers` library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Encoding, Tensor

if TYPE_CHECKING:
    from tokenizers import Encoding as Tokens
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"


class TokenEncoder:
    """Opens a `TokenEncoding` from a folder with tokenizer.json.

    Config: `max_length` (tokens, special ones included), `inputs` (names of the graph's inputs among input_ids, attention_mask
    and token_type_ids), `pad_id`, `pad_type_id`, `unknown_id` (null for vocabularies that know every byte) and `fields` (the role
    that holds the text).
    """

    name = "tokens"
    summary = "sub-word tokens of a pretrained tokenizer"

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        return TokenEncoding(open_tokenizer(folder / TOKENIZER_FILE, int(config["max_length"])), config)


def open_tokenizer(path: Path, max_length: int | None) -> Tokenizer:
    """The tokenizer of a file, without padding and truncated to `max_length` whatever the file says.

    Raises BundleError when the file is missing or unreadable.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is missing", hint="export the run again, or fetch the source again") from None
    except Exception as error:  # the tokenizers library raises a bare Exception for content it cannot read
        raise BundleError(f"{path} is no tokenizer: {error}", hint="export the run again, or fetch the source again") from error
    set_length(tokenizer, max_length)
    return tokenizer


def set_length(tokenizer: Tokenizer, max_length: int | None) -> None:
    """Drop padding and truncate to `max_length`, or not at all."""
    tokenizer.no_padding()
    if max_length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_length)


class TokenEncoding:
    """Text to token ids, right-padded to the longest row of a batch."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
        (self._field,) = config["fields"]
        self._tokenizer = tokenizer
        self._names = tuple(str(name) for name in config["inputs"])
        self._max_length = int(config["max_length"])
        self._fill = {"input_ids": int(config["pad_id"]), "token_type_ids": int(config["pad_type_id"]), "attention_mask": 0}
        self._unknown: int | None = config["unknown_id"]
        self._whole: Tokenizer | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(Tensor(name, "int64", ("batch", "length")) for name in self._names)

    @property
    def max_length(self) -> int | None:
        return self._max_length

    @property
    def pad_id(self) -> int:
        """The token id that fills up short rows."""
        return self._fill["input_ids"]

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays of shape (rows, longest row), or (rows, `pad_to`) where that is longer; int64."""
        tokens = self.tokenize(rows)
        lengths = np.array([len(row.ids) for row in tokens], dtype=np.int64)
        width = max(int(lengths.max(initial=1)), pad_to or 0)
        arrays = {name: np.full((len(tokens), width), self._fill[name], dtype=np.int64) for name in self._names}
        for name, array in arrays.items():
            for i, row in enumerate(tokens):
                array[i, : lengths[i]] = _values(row, name)
        truncated = np.array([bool(row.overflowing) for row in tokens], dtype=np.bool_)
        spans = tuple(tuple(row.offsets) for row in tokens) if offsets else None
        return Encoded(arrays, lengths, truncated, self._count_unknown(tokens), spans)

    def tokenize(self, rows: Table) -> Sequence[Tokens]:
        """The tokenizers library's own values, one a row."""
        return self._tokenizer.encode_batch([_text(value) for value in rows[self._field]])

    def resized(self, rows: Table, length: int) -> Table:
        """Texts cut at a token's end, or repeated and then cut, so that their encodings have about `length` tokens."""
        wanted = max(0, length - self._tokenizer.num_special_tokens_to_add(False))
        columns = dict(rows.columns)
        columns[self._field] = [self._resize(_text(value), wanted) for value in rows[self._field]]
        return Table(columns, rows.origin, rows.notes, rows.first_line)

    def _resize(self, text: str, wanted: int) -> str:
        if wanted == 0:
            return ""
        ends = self._ends(text)
        if not ends:
            return text
        if len(ends) < wanted:
            text = " ".join([text] * -(-wanted // len(ends)))
            ends = self._ends(text)
        return text[: ends[min(wanted, len(ends)) - 1]]

    def _ends(self, text: str) -> list[int]:
        """Where each token of the whole text ends, in characters; special tokens left out."""
        if self._whole is None:
            self._whole = type(self._tokenizer).from_str(self._tokenizer.to_str())
            set_length(self._whole, None)
        return [end for _, end in self._whole.encode(text, add_special_tokens=False).offsets]

    def _count_unknown(self, tokens: Sequence[Tokens]) -> npt.NDArray[np.int64]:
        unknown = self._unknown
        return np.array([0 if unknown is None else row.ids.count(unknown) for row in tokens], dtype=np.int64)


def _values(row: Tokens, name: str) -> Sequence[int]:
    if name == "input_ids":
        return row.ids
    return row.attention_mask if name == "attention_mask" else row.type_ids


def _text(value: object) -> str:
    return "" if value is None else str(value)
