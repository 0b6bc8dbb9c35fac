"""Sub-word tokens for transformer graphs, by the `tokenizers` library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Encoding, Tensor
from autoft_plugins.encoders.sparse import texts_of

if TYPE_CHECKING:
    from tokenizers import Encoding as LibraryTokens
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"


class TokenEncoder:
    """Opens a `TokenEncoding` from a folder with tokenizer.json.

    Config: `max_length` (tokens, special ones included), `inputs` (names of the graph's inputs among input_ids, attention_mask
    and token_type_ids), `pad_id`, `pad_type_id`, `unknown_id` (null for vocabularies that know every byte) and `fields` (the roles
    that hold the text, or the first and the second text).
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


class Tokens(Protocol):
    """The tokens of a row, those of the tokenizers library among others; `overflowing` is empty or False where nothing was cut off."""

    @property
    def ids(self) -> Sequence[int]: ...

    @property
    def type_ids(self) -> Sequence[int]: ...

    @property
    def offsets(self) -> Sequence[tuple[int, int]]: ...

    @property
    def overflowing(self) -> object: ...


@dataclass(frozen=True)
class _Cut:
    """Tokens of two texts that were too long."""

    ids: Sequence[int]
    type_ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]
    overflowing: bool = True


class SubWords:
    """What encodings into sub-word tokens have in common: the inputs of the graph, what fills up short rows of a batch, and texts made to a
    length. Config: see `TokenEncoder`."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._names = tuple(str(name) for name in config["inputs"])
        self._max_length = int(config["max_length"])
        self._fill = {"input_ids": int(config["pad_id"]), "token_type_ids": int(config["pad_type_id"]), "attention_mask": 0}
        self._unknown: int | None = config["unknown_id"]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(Tensor(name, "int64", ("batch", "length")) for name in self._names)

    @property
    def max_length(self) -> int | None:
        return self._max_length

    @property
    def has_types(self) -> bool:
        """Whether the graph takes token_type_ids."""
        return "token_type_ids" in self._names

    @property
    def fill(self) -> tuple[int, int]:
        """The token id and the type id that fill up what is short."""
        return self._fill["input_ids"], self._fill["token_type_ids"]

    def _padded(self, tokens: Sequence[Tokens], pad_to: int | None) -> tuple[dict[str, npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
        """Arrays of shape (n, longest), or (n, `pad_to`) where that is longer, and the lengths (n,)."""
        lengths = np.array([len(row.ids) for row in tokens], dtype=np.int64)
        width = max(int(lengths.max(initial=1)), pad_to or 0)
        arrays = {name: np.full((len(tokens), width), self._fill[name], dtype=np.int64) for name in self._names}
        for name, array in arrays.items():
            for i, row in enumerate(tokens):
                array[i, : lengths[i]] = _values(row, name)
        return arrays, lengths

    def _count_unknown(self, tokens: Sequence[Tokens]) -> npt.NDArray[np.int64]:
        unknown = self._unknown
        return np.array([0 if unknown is None else row.ids.count(unknown) for row in tokens], dtype=np.int64)

    def _stretched(self, text: str, wanted: int) -> tuple[str, int, int]:
        """`text` as often as it takes to have `wanted` tokens, parted by blanks; how often that is; and where it then has to be cut, -1 for
        a text that has no tokens however often."""
        if wanted == 0:
            return text, 1, 0
        ends = self._ends(text)
        if not ends:
            return text, 1, -1
        times = -(-wanted // len(ends))
        if times > 1:
            text = " ".join([text] * times)
            ends = self._ends(text)
        return text, times, ends[min(wanted, len(ends)) - 1]

    @cached_property
    def _whole(self) -> Tokenizer:
        """Of texts of any length."""
        tokenizer = type(self._tokenizer).from_str(self._tokenizer.to_str())
        set_length(tokenizer, None)
        return tokenizer

    def _ends(self, text: str) -> list[int]:
        """Where each token of the whole text ends, in characters; special tokens left out."""
        return [end for _, end in self._whole.encode(text, add_special_tokens=False).offsets]


class TokenEncoding(SubWords):
    """A text, or two, to token ids, right-padded to the longest row of a batch. Of two texts that are too long together the longer is cut
    first. Offsets of tokens count from the start of their own text."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
        self._fields = tuple(str(name) for name in config["fields"])
        if len(self._fields) not in (1, 2):
            raise ValueError(f"tokens are those of one text or two, not of {len(self._fields)}")
        super().__init__(tokenizer, config)
        if self._pairs:
            # The library would make every combination of what it cuts off: seconds for two long texts.
            set_length(tokenizer, None)
            self._whole = tokenizer

    @property
    def _pairs(self) -> bool:
        return len(self._fields) == 2

    @property
    def specials(self) -> int:
        """Tokens that every row has beside those of its text."""
        return self._tokenizer.num_special_tokens_to_add(self._pairs)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays of shape (rows, longest row), or (rows, `pad_to`) where that is longer; int64."""
        tokens = self.tokenize(rows)
        arrays, lengths = self._padded(tokens, pad_to)
        truncated = np.array([bool(row.overflowing) for row in tokens], dtype=np.bool_)
        spans = tuple(tuple(row.offsets) for row in tokens) if offsets else None
        return Encoded(arrays, lengths, truncated, self._count_unknown(tokens), spans)

    def tokenize(self, rows: Table) -> Sequence[Tokens]:
        """One value a row."""
        columns = [texts_of(rows, name) for name in self._fields]
        if not self._pairs:
            return self._tokenizer.encode_batch(columns[0])
        pairs = self._tokenizer.encode_batch(list(zip(*columns, strict=True)))
        return [row if len(row.ids) <= self._max_length else self._cut(row) for row in pairs]

    def _cut(self, row: LibraryTokens) -> Tokens:
        """The pair with as much of each text as there is room for."""
        texts = row.sequence_ids
        left = list(longest_first(texts.count(0), texts.count(1), max(0, self._max_length - self.specials)))
        kept: list[int] = []
        for place, text in enumerate(texts):
            if text is not None:
                left[text] -= 1
            if text is None or left[text] >= 0:
                kept.append(place)
        ids, types, offsets = row.ids, row.type_ids, row.offsets
        return _Cut([ids[place] for place in kept], [types[place] for place in kept], [offsets[place] for place in kept])

    def resized(self, rows: Table, length: int) -> Table:
        """Texts cut at a token's end, or repeated and then cut, so that their encodings have about `length` tokens, a half of them from
        each of two texts."""
        wanted = max(0, length - self.specials)
        sizes = (wanted,) if not self._pairs else (wanted - wanted // 2, wanted // 2)
        made = {name: [self._resize(text, size) for text in texts_of(rows, name)] for name, size in zip(self._fields, sizes, strict=True)}
        return rows.with_columns({**rows.columns, **made})

    def _resize(self, text: str, wanted: int) -> str:
        whole, _, cut = self._stretched(text, wanted)
        return whole if cut < 0 else whole[:cut]


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many of `first` and `second` tokens stay where there is room for so many: the longer text is cut first; once both are of a
    length, the one that was longer keeps the odd token."""
    if first + second <= room:
        return first, second
    short = min(first, second, room // 2)
    return (room - short, short) if first > second else (short, room - short)


def _values(row: Tokens, name: str) -> Sequence[int] | int:
    if name == "input_ids":
        return row.ids
    return 1 if name == "attention_mask" else row.type_ids
