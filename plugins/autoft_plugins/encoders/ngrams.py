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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft_plugins.encoders.sparse import NOTHING, Features, SparseEncoding, read_vocabulary, texts_of

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


class NgramEncoding(SparseEncoding):
    """Counts the terms of a vocabulary in one text a row."""

    name = "ngrams"

    def __init__(self, vocabulary: Vocabulary, role: str = "text") -> None:
        self.vocabulary, self.role = vocabulary, role
        self._words = {term: k for k, term in enumerate(vocabulary.words, start=1)}
        self._characters = {term: k for k, term in enumerate(vocabulary.characters, start=1 + len(vocabulary.words))}
        self._chunks: dict[str, list[int]] = {}

    @property
    def size(self) -> int:
        return len(self.vocabulary) + 1

    @property
    def config(self) -> dict[str, Any]:
        return {"role": self.role}

    def vocabulary_json(self) -> bytes:
        return self.vocabulary.to_json()

    def units(self, rows: Table) -> list[Features]:
        return [self.features(text) for text in texts_of(rows, self.role)]

    def features(self, text: str) -> Features:
        """Ids in ascending order and their values. A text without a known term has one feature: padding."""
        text = normalise(text)
        blocks = [self.weighted(block) for block in (self.words_of(text), self.characters_of(text)) if block]
        return joined_features(blocks)

    def words_of(self, text: str) -> Counter[int]:
        """The known n-grams of words of a normalised text."""
        find = self._words.get
        return Counter(k for term in word_grams(text, self.vocabulary.word_sizes) if (k := find(term)) is not None)

    def characters_of(self, text: str) -> Counter[int]:
        """The known n-grams of characters of a normalised text."""
        characters: Counter[int] = Counter()
        for chunk in text.split():
            characters.update(self._grams_of(chunk))
        return characters

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

    def weighted(self, counts: Counter[int]) -> Features:
        """A block of terms by id, scaled to unit length."""
        ids = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        times = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        order = np.argsort(ids)
        ids, times = ids[order], times[order]
        values = (1.0 + np.log(times)) * self.vocabulary.idf[ids - 1]
        return ids, (values / np.linalg.norm(values)).astype(np.float32)


def joined_features(blocks: list[Features]) -> Features:
    """Blocks of features one after another; a single padding where there is none."""
    if not blocks:
        return NOTHING
    return np.concatenate([ids for ids, _ in blocks]), np.concatenate([values for _, values in blocks])


class NgramEncoder:
    """The plugin."""

    name = NgramEncoding.name
    summary = "n-grams of words and characters, counted from a vocabulary in JSON"

    def open(self, folder: Path, config: Mapping[str, Any]) -> NgramEncoding:
        """Raises BundleError when vocabulary.json is missing or damaged."""
        return NgramEncoding(read_vocabulary(folder, self.name, Vocabulary.from_json), str(config.get("role", "text")))
