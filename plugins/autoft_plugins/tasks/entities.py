"""Entities in arrays of tag codes: O is 0, B-k is 2k + 1, I-k is 2k + 2 for the kind k (from 0), and -1 fills up short rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int16]
TAGS = "token_classification"
"""The kind of head that has a tag a word."""

FORBIDDEN = -1e4
"""The score of a transition that cannot be. Finite, so that sums stay numbers."""

_CELLS = 2**24


def tag_names(kinds: Sequence[str]) -> tuple[str, ...]:
    """O, then B and I of each kind."""
    return ("O", *(f"{letter}-{kind}" for kind in kinds for letter in "BI"))


@dataclass(frozen=True)
class Entities:
    """Arrays (k,) in order of row and place; `end` is the place behind the last word."""

    row: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]

    def keys(self, width: int) -> npt.NDArray[np.int64]:
        """A number an entity; equal ones have the same row, places and kind. All places are below `width`."""
        keys: npt.NDArray[np.int64] = ((self.row * width + self.start) * (width + 1) + self.end) * 2**15 + self.kind
        return keys


def entities_in(codes: Codes) -> Entities:
    """Those of `codes` (n, words): B and what goes on with it. An I without a B belongs to none (strict IOB2)."""
    width = max(1, codes.shape[1])
    cells = np.flatnonzero(codes > 0)
    own = codes.reshape(-1)[cells]
    goes_on = np.zeros(len(cells), np.bool_)
    now, before = own[1:], own[:-1]
    behind = (np.diff(cells) == 1) & (cells[1:] % width != 0)
    goes_on[1:] = behind & (now % 2 == 0) & ((now == before) | (now == before + 1))
    starts = np.flatnonzero(own % 2 == 1)
    # An entity holds the cells up to the next one that does not go on.
    breaks = np.append(np.flatnonzero(~goes_on), len(cells))
    last = breaks[np.searchsorted(breaks, starts, side="right")] - 1
    row = cells[starts] // width
    return Entities(row, cells[starts] - row * width, cells[last] + 1 - row * width, (own[starts].astype(np.int64) - 1) // 2)


def entity_counts(targets: Codes, decisions: Codes) -> npt.NDArray[np.float64]:
    """Of each row, shape (n, 3): entities that are right, that were found, that there are. Places and kind must agree."""
    width = max(targets.shape[1], decisions.shape[1])
    true, found = entities_in(targets), entities_in(decisions)
    right = found.row[np.isin(found.keys(width), true.keys(width), assume_unique=True)]
    return np.column_stack([np.bincount(rows, minlength=len(targets)) for rows in (right, found.row, true.row)]).astype(np.float64)


def strict_scores(counts: npt.NDArray[np.float64]) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of whole entities from the sums (3,) of `entity_counts` (the CoNLL measure, Tjong Kim Sang &
    De Meulder 2003). 0 where there is nothing to divide by."""
    hits, found, true = counts.tolist()
    return {"f1": 2 * hits / max(1, found + true), "precision": hits / max(1, found), "recall": hits / max(1, true)}


def constraints(tags: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Scores (tags, tags) from a tag to the next, and (tags,) of the first: 0, or `FORBIDDEN` where I would follow neither its B nor
    itself."""
    codes = np.arange(tags)
    inside = (codes > 0) & (codes % 2 == 0)
    follows = (codes[:, None] == codes) | (codes[:, None] == codes - 1)
    return np.where(inside & ~follows, FORBIDDEN, 0.0), np.where(inside, FORBIDDEN, 0.0)


def best_tags(
    logits: npt.NDArray[Any],
    words: npt.NDArray[np.int64],
    transitions: npt.NDArray[Any],
    starts: npt.NDArray[Any],
    ends: npt.NDArray[Any],
) -> Codes:
    """The path of the highest sum a row, by Viterbi's algorithm (1967): codes (n, words), -1 behind each row's own `words` (n,).

    `logits` (n, words, tags); `transitions` (tags, tags) from row to column; `starts` and `ends` (tags,).
    """
    n, width, tags = logits.shape
    made = np.full((n, width), -1, np.int16)
    order = np.argsort(words, kind="stable")
    size = max(1, _CELLS // max(1, width * tags, tags * tags))
    for begin in range(0, n, size):
        rows = order[begin : begin + size]
        longest = int(words[rows].max(initial=0))
        made[rows, :longest] = _best(logits[rows, :longest], words[rows], transitions, starts, ends)
    return made


def _best(logits: Any, words: Any, transitions: Any, starts: Any, ends: Any) -> Codes:
    n, width, tags = logits.shape
    made = np.full((n, width), -1, np.int16)
    if not width:
        return made
    emissions = np.nan_to_num(np.asarray(logits, np.float64))
    origins = np.empty((width, n, tags), np.int16)
    scores = starts + emissions[:, 0]
    stay = np.arange(tags, dtype=np.int16)
    for place in range(1, width):
        paths = scores[:, :, None] + transitions
        best = paths.argmax(axis=1)
        going = (place < words)[:, None]
        origins[place] = np.where(going, best, stay)
        scores = np.where(going, np.take_along_axis(paths, best[:, None], axis=1)[:, 0] + emissions[:, place], scores)
    tag = (scores + ends).argmax(axis=1)
    every = np.arange(n)
    for place in range(width - 1, -1, -1):
        made[:, place] = np.where(place < words, tag, -1)
        tag = origins[place, every, tag] if place else tag
    return made
