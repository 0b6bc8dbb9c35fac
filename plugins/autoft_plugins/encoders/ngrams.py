"""N-grams of words and of characters, counted by one piece of code in training and in production.

Terms are weighted by 1 + log(count) times the smoothed inverse document frequency, and each of the two blocks (words,
characters) is scaled to unit length, as in Manning, Raghavan and Schütze, "Introduction to Information Retrieval", ch. 6.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Tensor

VOCABULARY_FILE = "vocabulary.json"
PADDING = 0
"""The id that fills a row up; its weights are zero. Terms are numbered from 1."""

# Scripts written without spaces: every character is a word of its own.
_UNSPACED = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Combining marks are no word characters to `re`, but vowels in the scripts of South and South-East Asia.
_MARKS = "\u0300-\u036f\u0900-\u109f\u1780-\u17ff'\u2019"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}][^\\W{_UNSPACED}{_MARKS}]*(?:[{_MARKS}][^\\W{_UNSPACED}]*)*")
_LONGEST_REMEMBERED = 40
_REMEMBERED = 50_000
_LONGEST_CHUNK = 2048
"""Characters of a chunk that count: what is longer without a space is no prose, but encoded data, and would fill the memory."""


def normalise(text: str) -> str:
    """Compatibility form without case: full-width, ligature and accent variants of a text become the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def word_grams(text: str, sizes: tuple[int, int]) -> Iterator[str]:
    """Runs of `sizes[0]` to `sizes[1]` words of a normalised text, joined by spaces."""
    words = _WORD.findall(text)
    for size in range(sizes[0], sizes[1] + 1):
        if size == 1:
            yield from words
        else:
            for start in range(len(words) - size + 1):
                yield " ".join(words[start : start + size])


def character_grams(chunk: str, sizes: tuple[int, int]) -> Iterator[str]:
    """Runs of characters within the first 2048 of a chunk between spaces; its edges count as one space each."""
    padded = f" {chunk[:_LONGEST_CHUNK]} "
    for size in range(sizes[0], sizes[1] + 1):
        for start in range(len(padded) - size + 1):
            yield padded[start : start + size]


@dataclass(frozen=True)
class Vocabulary:
    """The terms that count. Term k of `words` then `characters` has id k + 1 and weight `idf[k]`."""

    word_sizes: tuple[int, int]
    character_sizes: tuple[int, int]
    words: tuple[str, ...]
    characters: tuple[str, ...]
    idf: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.words) + len(self.characters)

    def to_json(self) -> bytes:
        """The content of vocabulary.json."""
        content = {
            "version": 1,
            "word_sizes": self.word_sizes,
            "character_sizes": self.character_sizes,
            "words": self.words,
            "characters": self.characters,
            "idf": self.idf.tolist(),
        }
        return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> Vocabulary:
        """Raises ValueError when the content is not what `to_json` gives."""
        try:
            read = json.loads(content)
            (word_low, word_high), (low, high) = read["word_sizes"], read["character_sizes"]
            words, characters = tuple(map(str, read["words"])), tuple(map(str, read["characters"]))
            idf = np.asarray(read["idf"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a vocabulary of n-grams: {error}") from error
        if read.get("version") != 1:
            raise ValueError(f"version {read.get('version')!r} of the vocabulary is not known (known: 1)")
        if idf.shape != (len(words) + len(characters),) or not np.isfinite(idf).all():
            raise ValueError(f"{len(words) + len(characters)} terms, but weights of shape {idf.shape}")
        return cls((int(word_low), int(word_high)), (int(low), int(high)), words, characters, idf)


def learn(
    texts: Iterable[str],
    *,
    word_sizes: tuple[int, int] = (1, 2),
    character_sizes: tuple[int, int] = (2, 5),
    minimum: int = 2,
    limit: int = 100_000,
) -> Vocabulary:
    """The terms that stand in at least `minimum` of the texts, at most `limit` of them, the most frequent first."""
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    grams: dict[str, tuple[str, ...]] = {}
    count = 0
    for text in texts:
        count += 1
        text = normalise(text)
        words.update(set(word_grams(text, word_sizes)))
        seen: set[str] = set()
        for chunk in set(text.split()):
            if len(chunk) > _LONGEST_REMEMBERED:
                seen.update(character_grams(chunk, character_sizes))
                continue
            known = grams.get(chunk)
            if known is None:
                if len(grams) >= _REMEMBERED:
                    grams.clear()
                known = grams[chunk] = tuple(character_grams(chunk, character_sizes))
            seen.update(known)
        characters.update(seen)
    kept = [(-n, 0, term) for term, n in words.items() if n >= minimum] + [(-n, 1, term) for term, n in characters.items() if n >= minimum]
    kept = sorted(sorted(kept)[:limit], key=lambda item: (item[1], item[2]))
    idf = np.array([math.log((1 + count) / (1 - negative)) + 1.0 for negative, _, _ in kept], dtype=np.float64)
    return Vocabulary(
        word_sizes,
        character_sizes,
        tuple(term for _, block, term in kept if block == 0),
        tuple(term for _, block, term in kept if block == 1),
        idf,
    )


class NgramEncoding:
    """Counts the terms of a vocabulary. `ids` int64 and `values` float32, both (rows, features), filled up with id 0 and value 0."""

    inputs = (Tensor("ids", "int64", ("batch", "features")), Tensor("values", "float32", ("batch", "features")))
    max_length: int | None = None

    def __init__(self, vocabulary: Vocabulary, role: str = "text") -> None:
        self.vocabulary, self.role = vocabulary, role
        self._words = {term: k for k, term in enumerate(vocabulary.words, start=1)}
        self._characters = {term: k for k, term in enumerate(vocabulary.characters, start=1 + len(vocabulary.words))}
        self._chunks: dict[str, list[int]] = {}

    def features(self, text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids in ascending order and their values, each (features,). A text without a known term has one feature: padding."""
        text = normalise(text)
        find = self._words.get
        words = Counter(k for term in word_grams(text, self.vocabulary.word_sizes) if (k := find(term)) is not None)
        characters: Counter[int] = Counter()
        for chunk in text.split():
            characters.update(self._grams_of(chunk))
        blocks = [self._weighted(block) for block in (words, characters) if block]
        if not blocks:
            return np.array([PADDING], dtype=np.int64), np.zeros(1, dtype=np.float32)
        return np.concatenate([ids for ids, _ in blocks]), np.concatenate([values for _, values in blocks])

    def _grams_of(self, chunk: str) -> list[int]:
        known = self._chunks.get(chunk)
        if known is None:
            find = self._characters.get
            known = [k for term in character_grams(chunk, self.vocabulary.character_sizes) if (k := find(term)) is not None]
            if len(chunk) <= _LONGEST_REMEMBERED:
                if len(self._chunks) >= _REMEMBERED:
                    self._chunks = {}
                self._chunks[chunk] = known
        return known

    def _weighted(self, counts: Counter[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        ids = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        times = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        order = np.argsort(ids)
        ids, times = ids[order], times[order]
        values = (1.0 + np.log(times)) * self.vocabulary.idf[ids - 1]
        return ids, (values / np.linalg.norm(values)).astype(np.float32)

    def sparse(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """All features end to end: ids, values, and where each row starts (rows + 1)."""
        found = [self.features(text) for text in texts]
        starts = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in found])]).astype(np.int64)
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), starts
        return np.concatenate([ids for ids, _ in found]), np.concatenate([values for _, values in found]), starts

    def texts(self, rows: Table) -> list[str]:
        """The column this encoding reads; an absent value is an empty text."""
        return ["" if value is None else str(value) for value in rows[self.role]]

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:  # noqa: ARG002
        """`pad_to` counts features; `offsets` are not known to n-grams and stay None."""
        found = [self.features(text) for text in self.texts(rows)]
        lengths = np.array([len(ids) for ids, _ in found], dtype=np.int64)
        width = max(int(lengths.max(initial=1)), pad_to or 1)
        ids = np.full((len(found), width), PADDING, dtype=np.int64)
        values = np.zeros((len(found), width), dtype=np.float32)
        for row, (row_ids, row_values) in enumerate(found):
            ids[row, : len(row_ids)] = row_ids
            values[row, : len(row_ids)] = row_values
        return Encoded({"ids": ids, "values": values}, lengths, np.zeros(len(found), dtype=np.bool_))

    def resized(self, rows: Table, length: int) -> Table:  # noqa: ARG002
        """The rows as they are: a text has as many features as it has known terms."""
        return rows


class NgramEncoder:
    """The plugin."""

    name = "ngrams"
    summary = "n-grams of words and characters, counted from a vocabulary in JSON"

    def open(self, folder: Path, config: Mapping[str, Any]) -> NgramEncoding:
        """Raises BundleError when vocabulary.json is missing or damaged."""
        path = folder / VOCABULARY_FILE
        try:
            vocabulary = Vocabulary.from_json(path.read_bytes())
        except FileNotFoundError:
            hint = "export the run again, or copy the whole bundle folder"
            raise BundleError(f"{folder} has no {VOCABULARY_FILE}, which its encoder 'ngrams' needs", hint=hint) from None
        except (OSError, ValueError) as error:
            raise BundleError(f"cannot read {path}: {error}", hint="copy the bundle again from where it was made") from error
        return NgramEncoding(vocabulary, str(config.get("role", "text")))
