"""The words of a row, each as features of a linear tagger: the word itself, its ends and shape, and those of its neighbours.

Features of this kind were the common ones before neural networks, e.g. Ratinov and Roth, "Design challenges and misconceptions
in named entity recognition" (2009).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft_plugins.encoders.ngrams import normalise
from autoft_plugins.encoders.sparse import NOTHING, Features, SparseEncoding, read_vocabulary, texts_of

_EDGE = "\0"
"""Stands for the words before the first and after the last."""
_PLACES = (-2, -1, 0, 1, 2)
"""The words that count, from the word itself."""
_REACH = 2
_ENDS = (1, 2, 3, 4)
_LONGEST = 40
"""Characters of a word that count."""
_REMEMBERED = 50_000


def features_at(place: int, word: str) -> Iterator[str]:
    """What `word` tells of the tag of the word `place` before it (1: the word is its right neighbour, 0: it is that word)."""
    if word == _EDGE:
        yield f"{place} edge"
        return
    plain = normalise(word)[:_LONGEST]
    yield f"{place} word {plain}"
    yield f"{place} shape {shape(word)}"
    for size in _ENDS if place == 0 else (3,):
        yield f"{place} suffix {plain[-size:]}"
        if place == 0:
            yield f"{place} prefix {plain[:size]}"


def shape(word: str) -> str:
    """Capitals as A, small letters as a, other letters as x, digits as 0, the rest as it is; a longer run counts as one of two."""
    kinds = ""
    for letter in word[:_LONGEST]:
        kind = _kind(letter)
        if not kinds.endswith(kind * 2):
            kinds += kind
    return kinds


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "0"
    if letter.isalpha():
        return "A" if letter.isupper() else "a" if letter.islower() else "x"
    return letter


def couples(sentence: Sequence[str]) -> list[str]:
    """Each word with the next one, and the last with the edge; one more than words, from the edge with the first on."""
    plain = [_EDGE, *(normalise(word)[:_LONGEST] for word in sentence), _EDGE]
    return [f"{one} {two}" for one, two in pairwise(plain)]


def words_of(rows: Table) -> list[list[str]]:
    """The words of each row: its text between their offsets."""
    return [[text[start:end] for start, end in spans] for text, spans in zip(texts_of(rows, "text"), rows["words"], strict=True)]


@dataclass(frozen=True)
class FeatureNames:
    """The features that count, in order: name k has id k + 1."""

    names: tuple[str, ...]

    def to_json(self) -> bytes:
        """The content of vocabulary.json."""
        return json.dumps({"version": 1, "features": self.names}, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> FeatureNames:
        """Raises ValueError when the content is not what `to_json` gives."""
        try:
            read = json.loads(content)
            names = tuple(map(str, read["features"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a list of features of words: {error}") from error
        if read.get("version") != 1:
            raise ValueError(f"version {read.get('version')!r} of the vocabulary is not known (known: 1)")
        return cls(names)


def learn_features(sentences: Iterable[Sequence[str]], *, minimum: int, limit: int) -> FeatureNames:
    """The features that at least `minimum` words have, at most `limit` of them, the most frequent first."""
    counts: Counter[str] = Counter()
    seen: dict[int, Counter[str]] = {place: Counter() for place in _PLACES}
    for sentence in sentences:
        between = couples(sentence)
        counts.update(f"before {couple}" for couple in between[:-1])
        counts.update(f"after {couple}" for couple in between[1:])
        padded = _padded(sentence)
        for place, words in seen.items():
            words.update(padded[_REACH + place : _REACH + place + len(sentence)])
    for place, words in seen.items():
        for word, count in words.items():
            for name in features_at(place, word):
                counts[name] += count
    kept = sorted((-count, name) for name, count in counts.items() if count >= minimum)[:limit]
    return FeatureNames(tuple(sorted(name for _, name in kept)))


def _padded(sentence: Sequence[str]) -> list[str]:
    return [_EDGE] * _REACH + list(sentence) + [_EDGE] * _REACH


class WordFeatureEncoding(SparseEncoding):
    """A unit is a word; `collect` puts the words of a row side by side: (rows, words, outputs)."""

    name = "word-features"

    def __init__(self, vocabulary: FeatureNames) -> None:
        self.vocabulary = vocabulary
        self._ids = {name: k for k, name in enumerate(vocabulary.names, start=1)}
        self._words: dict[tuple[int, str], list[int]] = {}

    @property
    def size(self) -> int:
        return len(self.vocabulary.names) + 1

    @property
    def config(self) -> dict[str, Any]:
        return {}

    def vocabulary_json(self) -> bytes:
        return self.vocabulary.to_json()

    def units(self, rows: Table) -> list[Features]:
        return [features for sentence in words_of(rows) for features in self._sentence(sentence)]

    def collector(self, rows: Table) -> Callable[[Arrays], Arrays]:
        return partial(_by_row, counts=self._counts(rows))

    def lengths(self, rows: Table, found: Sequence[Features]) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """Words a row."""
        return self._counts(rows)

    @staticmethod
    def _counts(rows: Table) -> npt.NDArray[np.int64]:
        return np.array([len(spans) for spans in rows["words"]], dtype=np.int64)

    def _sentence(self, sentence: Sequence[str]) -> Iterator[Features]:
        padded, between = _padded(sentence), couples(sentence)
        for at in range(len(sentence)):
            ids = [k for place in _PLACES for k in self._of(place, padded[_REACH + at + place])]
            ids += [k for name in (f"before {between[at]}", f"after {between[at + 1]}") if (k := self._ids.get(name)) is not None]
            yield (np.array(ids, dtype=np.int64), np.ones(len(ids), dtype=np.float32)) if ids else NOTHING

    def _of(self, place: int, word: str) -> list[int]:
        known = self._words.get((place, word))
        if known is None:
            known = [k for name in features_at(place, word) if (k := self._ids.get(name)) is not None]
            if len(self._words) >= _REMEMBERED:
                self._words = {}
            if len(word) <= _LONGEST:
                self._words[place, word] = known
        return known


def _by_row(outputs: Arrays, counts: npt.NDArray[np.int64]) -> Arrays:
    """(words, outputs) to (rows, most words, outputs), filled up with zeros."""
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    made: Arrays = {}
    for name, array in outputs.items():
        made[name] = np.zeros((len(counts), int(counts.max(initial=0)), *array.shape[1:]), dtype=array.dtype)
        made[name][rows, columns] = array
    return made


class WordFeatureEncoder:
    """The plugin."""

    name = WordFeatureEncoding.name
    summary = "a word, its ends, shape and neighbours, from a vocabulary in JSON"

    def open(self, folder: Path, config: Mapping[str, Any]) -> WordFeatureEncoding:  # noqa: ARG002
        """Raises BundleError when vocabulary.json is missing or damaged."""
        return WordFeatureEncoding(read_vocabulary(folder, self.name, FeatureNames.from_json))
