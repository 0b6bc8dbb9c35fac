"""Words of a text in overlapping windows of sub-word tokens: each word is read where it has most context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, Encoded, Encoding
from autoft_plugins.encoders.sparse import texts_of
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, SubWords, open_tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding as Tokens
    from tokenizers import Tokenizer

Ints = npt.NDArray[np.int64]

SURE = 30.0
"""The logit of the first tag, which is O, for words that have no token: nothing but odd characters."""
OVERLAP = 4
"""One token in so many of a window's is in the next one, too."""


class WordEncoder:
    """Opens a `WordEncoding` from a folder with tokenizer.json.

    Config: that of `tokens`. The table has the columns `text` and `words`, the (start, end) of each word in characters.
    """

    name = "words"
    summary = "sub-word tokens in overlapping windows, one answer a word"

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        return WordEncoding(open_tokenizer(folder / TOKENIZER_FILE, None), config)


@dataclass(frozen=True)
class Places:
    """Word `words[k]` of row `rows[k]` is read at token `tokens[k]` of window `windows[k]`, all (k,) and ascending by window; words
    without a token are not among them. `counts` (n,) are all words a row."""

    rows: Ints
    words: Ints
    windows: Ints
    tokens: Ints
    counts: Ints

    def gather(self, logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(windows, tokens, tags) to (n, most words, tags), filled up with zeros."""
        made = np.zeros((len(self.counts), int(self.counts.max(initial=0)), logits.shape[2]), logits.dtype)
        made[:, :, 0] = np.where(np.arange(made.shape[1]) < self.counts[:, None], SURE, 0.0)
        made[self.rows, self.words] = logits[self.windows, self.tokens]
        return made


@dataclass(frozen=True)
class Windows:
    """`tokens` hold a window each, of the rows `owners` (windows,)."""

    tokens: Sequence[Tokens]
    owners: Ints
    places: Places


class WordEncoding(SubWords):
    """Right-padded to the longest window of a batch; a row has as many windows as it needs, so that nothing is cut off. `specials` are the
    tokens that every window has beside those of its text."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
        super().__init__(tokenizer, config)
        self.specials = tokenizer.num_special_tokens_to_add(False)
        self._room = self._max_length - self.specials
        self._step = self._room - self._room // OVERLAP
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._max_length, stride=self._room - self._step)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        """Arrays of shape (windows, longest window), or (windows, `pad_to`) where that is longer; int64."""
        found = self.windows(rows)
        arrays, sizes = self._padded(found.tokens, pad_to)
        n = len(rows)
        lengths = np.zeros(n, np.int64)
        np.maximum.at(lengths, found.owners, sizes)
        unknown = np.zeros(n, np.int64)
        np.add.at(unknown, found.owners, self._count_unknown(found.tokens))
        spans = tuple(tuple(row) for row in rows["words"]) if offsets else None

        def collect(outputs: Arrays) -> Arrays:
            return {name: found.places.gather(array) for name, array in outputs.items()}

        return Encoded(arrays, lengths, np.zeros(n, np.bool_), unknown, spans, collect)

    def windows(self, rows: Table) -> Windows:
        """The windows of all rows and the place of each word in them."""
        tokens: list[Tokens] = []
        owners: list[int] = []
        parts: list[tuple[Ints, Ints, Ints]] = []
        spans = [np.array(row, np.int64).reshape(-1, 2) for row in rows["words"]]
        for row, first in enumerate(self._tokenizer.encode_batch(texts_of(rows, "text"))):
            own = [first, *first.overflowing]
            word, window, place = self._find(own, spans[row])
            parts.append((word, window + len(tokens), place))
            tokens += own
            owners += [row] * len(own)
        counts = np.array([len(row) for row in spans], dtype=np.int64)
        owner_of_word = np.repeat(np.arange(len(parts)), [len(word) for word, _, _ in parts])
        columns = [np.concatenate([part[k] for part in parts] or [np.zeros(0, np.int64)]) for k in range(3)]
        return Windows(tokens, np.array(owners, np.int64), Places(owner_of_word, columns[0], columns[1], columns[2], counts))

    def _find(self, windows: Sequence[Tokens], words: Ints) -> tuple[Ints, Ints, Ints]:
        """Of a row: words that have a token, the window in which each is read, and the place of its first token there."""
        sizes = np.array([len(window.ids) for window in windows]) - self.specials
        lead = next((i for i, special in enumerate(windows[0].special_tokens_mask) if not special), 0)
        # Windows begin `step` tokens apart; of each but the first, what the one before holds already is left out.
        begins = np.arange(len(windows)) * self._step
        pieces = [window.offsets[lead : lead + size] for window, size in zip(windows, sizes.tolist(), strict=True)]
        offsets = [pair for i, piece in enumerate(pieces) for pair in piece[self._room - self._step if i else 0 :]]
        spans = np.array(offsets, np.int64).reshape(-1, 2)
        ends = np.maximum.accumulate(spans[:, 1]) if len(spans) else spans[:, 1]
        token = np.searchsorted(ends, words[:, 0], side="right")
        known = np.flatnonzero((token < len(spans)) & (words[:, 1] > words[:, 0]))
        known = known[spans[token[known], 0] < words[known, 1]]
        token = token[known]
        # Two windows at most hold a token, since they share less than a half: the last that begins before it, and the one before that.
        later = np.minimum(token // self._step, len(windows) - 1)
        earlier = np.maximum(later - 1, 0)
        here, there = (np.minimum(token - begins[one], begins[one] + sizes[one] - 1 - token) for one in (earlier, later))
        window = np.where(here >= there, earlier, later)
        return known, window, token - begins[window] + lead

    def resized(self, rows: Table, length: int) -> Table:
        """Texts cut at a token's end, or repeated and then cut, so that their encodings have about `length` tokens, with the words left."""
        wanted = max(0, length - self.specials)
        made = [self._resize(text, words, wanted) for text, words in zip(texts_of(rows, "text"), rows["words"], strict=True)]
        return rows.with_columns({**rows.columns, "text": [text for text, _ in made], "words": [words for _, words in made]})

    def _resize(self, text: str, words: Sequence[tuple[int, int]], wanted: int) -> tuple[str, tuple[tuple[int, int], ...]]:
        whole, times, cut = self._stretched(text, wanted)
        if cut < 0:
            return whole, tuple(words)
        stride = len(text) + 1
        repeated = ((start + k * stride, end + k * stride) for k in range(times) for start, end in words)
        return whole[:cut], tuple((start, min(end, cut)) for start, end in repeated if start < cut)
