"""Two texts a row as features of a linear model: what each says, what they share, and what stands in one of them only.

The blocks: n-grams of words and characters of the first text, and of the second; n-grams of words that both have, that only the
first has, that only the second has; pairs of a word of the first only with one of the second only; and how far the texts overlap,
in numbers. These are the features of the classifier in Bowman et al., "A large annotated corpus for learning natural language
inference" (2015), section 3.2, with TF-IDF where that counts.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.table import Table
from autoft_plugins.encoders.ngrams import NgramEncoding, Vocabulary, character_grams, joined_features, normalise, word_grams
from autoft_plugins.encoders.sparse import Features, SparseEncoding, read_vocabulary, texts_of

_MOST_SWAPS = 8
"""Words of either text that are paired with those of the other: the rarest."""
_KNOTS = 9
"""Values between 0 and 1 at which the weight of a number is learned; between them it is interpolated."""
_MEASURES = 8
_ALONE = 0.5
"""Of what a text says by itself: how much it counts beside what is shared, which comes in blocks of unit length."""
_CHARACTERS = (3, 3)


@dataclass(frozen=True)
class PairVocabulary:
    """`ngrams` of either text, and `swaps`: pairs of words, each of which stood in one text only."""

    ngrams: Vocabulary
    swaps: tuple[tuple[str, str], ...]

    def to_json(self) -> bytes:
        """The content of vocabulary.json."""
        content = {"version": 1, "ngrams": json.loads(self.ngrams.to_json()), "swaps": self.swaps}
        return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> PairVocabulary:
        """Raises ValueError when the content is not what `to_json` gives."""
        try:
            read = json.loads(content)
            ngrams, swaps = json.dumps(read["ngrams"]).encode(), tuple((str(one), str(two)) for one, two in read["swaps"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a vocabulary of pairs: {error}") from error
        if read.get("version") != 1:
            raise ValueError(f"version {read.get('version')!r} of the vocabulary is not known (known: 1)")
        return cls(Vocabulary.from_json(ngrams), swaps)


def learn_pairs(pairs: Iterable[tuple[str, str]], ngrams: Vocabulary, *, minimum: int, limit: int) -> PairVocabulary:
    """The pairs of words that stand in at least `minimum` rows, at most `limit` of them, the most frequent first."""
    weigh = _Weights(ngrams)
    counts: Counter[tuple[str, str]] = Counter()
    for first, second in pairs:
        counts.update(_swaps(_Side(first), _Side(second), weigh))
    kept = sorted((-count, swap) for swap, count in counts.items() if count >= minimum)[:limit]
    return PairVocabulary(ngrams, tuple(sorted(swap for _, swap in kept)))


class PairEncoding(SparseEncoding):
    """Ids: terms of the first text, of the second; n-grams of words of both, of the first only, of the second only; swaps; knots."""

    name = "ngram-pairs"

    def __init__(self, vocabulary: PairVocabulary, roles: Sequence[str] = ("text", "text_pair")) -> None:
        self.vocabulary, self.roles = vocabulary, tuple(roles)
        self._ngrams = NgramEncoding(vocabulary.ngrams)
        self._weigh = _Weights(vocabulary.ngrams)
        terms, words = len(vocabulary.ngrams), len(vocabulary.ngrams.words)
        self._block_starts = (0, terms, 2 * terms, 2 * terms + words, 2 * terms + 2 * words)
        swaps = 1 + 2 * terms + 3 * words
        self._swaps = {swap: swaps + k for k, swap in enumerate(vocabulary.swaps)}
        self._first_knot = swaps + len(vocabulary.swaps)

    @property
    def size(self) -> int:
        return self._first_knot + _MEASURES * _KNOTS

    @property
    def config(self) -> dict[str, Any]:
        return {"roles": list(self.roles)}

    def vocabulary_json(self) -> bytes:
        return self.vocabulary.to_json()

    def units(self, rows: Table) -> list[Features]:
        one, two = (texts_of(rows, role) for role in self.roles)
        return [self.features(first, second) for first, second in zip(one, two, strict=True)]

    def features(self, first: str, second: str) -> Features:
        """Ids and values of one row."""
        one, two = _Side(first), _Side(second)
        words = self._ngrams.words_of(one.text), self._ngrams.words_of(two.text)
        parts = (words[0] & words[1], words[0] - words[1], words[1] - words[0])
        alone, shared = self._block_starts[:2], self._block_starts[2:]
        blocks = []
        for side, own, start in zip((one, two), words, alone, strict=True):
            blocks += [self._block(counts, start, _ALONE) for counts in (own, self._ngrams.characters_of(side.text))]
        blocks += [self._block(part, start) for part, start in zip(parts, shared, strict=True)]
        swaps = sorted(k for swap in _swaps(one, two, self._weigh) if (k := self._swaps.get(swap)) is not None)
        blocks.append((np.array(swaps, dtype=np.int64), np.ones(len(swaps), dtype=np.float32)))
        blocks.append(self._knots(_measures(one, two, self._weigh)))
        return joined_features(blocks)

    def _block(self, counts: Counter[int], start: int, length: float = 1.0) -> Features:
        if not counts:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        ids, values = self._ngrams.weighted(counts)
        return ids + start, values * np.float32(length)

    def _knots(self, measures: Sequence[float]) -> Features:
        """Each number as its two nearest knots, by their nearness: a linear model then learns a broken line in it."""
        places = np.clip(np.array(measures), 0.0, 1.0) * (_KNOTS - 1)
        below = np.minimum(places.astype(np.int64), _KNOTS - 2)
        above = (places - below).astype(np.float32)
        ids = self._first_knot + np.arange(_MEASURES) * _KNOTS + below
        return np.stack([ids, ids + 1], axis=1).ravel(), np.stack([1.0 - above, above], axis=1).ravel().astype(np.float32)


class PairEncoder:
    """The plugin."""

    name = PairEncoding.name
    summary = "n-grams of two texts, and what they share, from a vocabulary in JSON"

    def open(self, folder: Path, config: Mapping[str, Any]) -> PairEncoding:
        """Raises BundleError when vocabulary.json is missing or damaged."""
        return PairEncoding(read_vocabulary(folder, self.name, PairVocabulary.from_json), config["roles"])


class _Weights:
    """How telling a word is: its inverse document frequency, the highest there is for one that is not known."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._known: dict[str, float] = dict(zip(vocabulary.words, vocabulary.idf.tolist(), strict=False))
        self._unknown = max(self._known.values(), default=1.0)

    def __call__(self, word: str) -> float:
        return self._known.get(word, self._unknown)

    def total(self, words: Iterable[str]) -> float:
        return math.fsum(map(self, words))


class _Side:
    """One text of a pair."""

    def __init__(self, text: str) -> None:
        self.text = normalise(text)
        self.words = list(word_grams(self.text, (1, 1)))
        self.distinct = frozenset(self.words)
        self.couples = frozenset(word_grams(self.text, (2, 2)))
        self.characters = frozenset(gram for chunk in self.text.split() for gram in character_grams(chunk, _CHARACTERS))


def _swaps(one: _Side, two: _Side, weigh: _Weights) -> Iterator[tuple[str, str]]:
    firsts, seconds = (_rarest(words, weigh) for words in (one.distinct - two.distinct, two.distinct - one.distinct))
    for first in firsts:
        for second in seconds:
            yield first, second


def _rarest(words: frozenset[str], weigh: _Weights) -> list[str]:
    return sorted(words, key=lambda word: (-weigh(word), word))[:_MOST_SWAPS]


def _measures(one: _Side, two: _Side, weigh: _Weights) -> tuple[float, ...]:
    """How far two texts overlap, `_MEASURES` numbers between 0 and 1."""
    common = one.distinct & two.distinct
    shared, first, second = weigh.total(common), weigh.total(one.distinct), weigh.total(two.distinct)
    return (
        _share(shared, first),
        _share(shared, second),
        _cosine(shared, first, second),
        _cosine(len(one.characters & two.characters), len(one.characters), len(two.characters)),
        _cosine(len(one.couples & two.couples), len(one.couples), len(two.couples)),
        _share(min(len(one.words), len(two.words)), max(len(one.words), len(two.words))),
        1.0 / (1 + len(one.distinct - common)),
        1.0 / (1 + len(two.distinct - common)),
    )


def _share(part: float, whole: float) -> float:
    """Nothing holds all of nothing."""
    return part / whole if whole else 1.0


def _cosine(shared: float, first: float, second: float) -> float:
    """Of two sets; two empty ones are alike."""
    return shared / math.sqrt(first * second) if first and second else float(first == second)
