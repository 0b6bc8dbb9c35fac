"""Which encoding stands before the weights, by what a problem has as inputs, and how it is learned from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.problem import Problem
from autoft.interfaces.space import Hyperparameters
from autoft_plugins.encoders.ngram_pairs import PairEncoder, PairEncoding, learn_pairs
from autoft_plugins.encoders.ngrams import NgramEncoder, NgramEncoding, Vocabulary, learn
from autoft_plugins.encoders.sparse import SparseEncoding, texts_of
from autoft_plugins.encoders.word_features import WordFeatureEncoder, WordFeatureEncoding, learn_features, words_of
from autoft_plugins.tasks.entities import TAGS

_LARGEST_TABLE = 16_000_000
"""Weights (features x outputs) that are worth keeping; a larger vocabulary is cut to its most frequent terms."""
_MOST = 100_000
_BLOCKS = 6
"""How often a term of a pair may have a weight: five blocks, and as many swaps as terms."""
_FEW = 50
"""Rows up to which a term counts that stands in one of them only."""

_ENCODERS = {encoder.name: encoder for encoder in (NgramEncoder(), PairEncoder(), WordFeatureEncoder())}


def learn_encoding(problem: Problem, rows: Table, chosen: Hyperparameters) -> SparseEncoding:
    """Raises TrialError when the rows have no feature in common."""
    minimum, most = 2 if len(rows) > _FEW else 1, _LARGEST_TABLE // problem.head.outputs
    if problem.head.kind == TAGS:
        return _some(WordFeatureEncoding(learn_features(words_of(rows), minimum=minimum, limit=most)))
    if len(problem.inputs) == 1:
        texts = texts_of(rows, problem.inputs[0])
        return _some(NgramEncoding(_ngrams(texts, chosen, minimum, most), problem.inputs[0]))
    one, two = (texts_of(rows, role) for role in problem.inputs)
    ngrams = _ngrams([*one, *two], chosen, minimum, most // _BLOCKS)
    if not len(ngrams):
        raise _nothing()
    pairs = learn_pairs(zip(one, two, strict=True), ngrams, minimum=minimum, limit=min(_MOST, most // _BLOCKS))
    return PairEncoding(pairs, problem.inputs)


def _ngrams(texts: list[str], chosen: Hyperparameters, minimum: int, most: int) -> Vocabulary:
    words, characters = (1, int(chosen["words"])), (2, int(chosen["characters"]))
    return learn(texts, word_sizes=words, character_sizes=characters, minimum=minimum, limit=min(_MOST, most))


def _some(encoding: SparseEncoding) -> SparseEncoding:
    if encoding.size < 2:
        raise _nothing()
    return encoding


def _nothing() -> TrialError:
    return TrialError("no word and no run of characters stands in two texts: n-grams have nothing to learn from")


def open_encoding(name: str, folder: Path, config: dict[str, Any]) -> SparseEncoding:
    """What stands in the folder of a saved model. Raises BundleError, and KeyError for an encoder that is not one of these."""
    return _ENCODERS[name].open(folder, config)


def matrix_of(encoding: SparseEncoding, rows: Table) -> Any:
    """The features as a scipy matrix, float64 (units, size of the encoding)."""
    from scipy.sparse import csr_matrix

    ids, values, starts = encoding.sparse(rows)
    return csr_matrix((values.astype(np.float64), ids, starts), shape=(len(starts) - 1, encoding.size))
