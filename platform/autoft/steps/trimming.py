"""A smaller vocabulary, where it is asked for: the smallest that costs no more than the user allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autoft.data.table import Rows
from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.model import Fitted, Trimmed, TrimsVocabulary
from autoft.steps.formats import Judged, Loss, lost
from autoft.steps.understand import Understood

SHARES = (0.0, 0.125, 0.25, 0.5, 0.75)
"""What is tried, of the tokens that are not needed: see `TrimsVocabulary`."""
FOLDS = 5
MOST_ROWS = 1000
"""By which a vocabulary is judged."""


def trim(fitted: Fitted, understood: Understood, share: float) -> Trimmed:
    """To what all rows that are not test need, and `share` of the rest. Raises ExportError where the model has no vocabulary."""
    return trimmable(fitted).trimmed(understood.rows.take(understood.learnable), share)


def trimmable(fitted: Fitted) -> TrimsVocabulary:
    """Raises ExportError for a model that cannot."""
    if isinstance(fitted, TrimsVocabulary):
        return fitted
    hint = "fine-tuned and frozen encoders have one, but for models that write"
    raise ExportError("this model has no vocabulary that could be trimmed", hint=hint)


def affordable(judged: Judged, understood: Understood, max_loss: float, say: Callable[[str], None]) -> Iterator[tuple[float, Loss]]:
    """The shares that cost `max_loss` points at most, the smallest first, each with what it costs; those that cost more are said.

    Each fifth of the rows that are not test is answered with a vocabulary in which it had no say, as words of tomorrow's texts will find
    it, and held to what the model answers with its whole vocabulary: a few hundred labels would be too few to tell half a point from
    luck, and rows that were learned from do for that. Metrics that should be small have no such scale, and are held to the labels. Raises
    ExportError as `trim` does.
    """
    everything = np.random.default_rng(understood.problem.seed).permutation(understood.learnable)
    rows = np.sort(everything[:MOST_ROWS])
    expected = judged.fitted.outputs(understood.rows.take(rows))
    for share in SHARES:
        given, kept, of = _answers(judged, understood, everything, rows, share)
        loss = lost(understood, judged, rows, expected, given, max_loss, own=understood.problem.metric.greater_is_better)
        if loss.kept:
            yield share, loss
        else:
            say(f"a vocabulary of {kept:,} of {of:,} tokens costs {loss.in_words()}")


def _answers(judged: Judged, understood: Understood, everything: Rows, rows: Rows, share: float) -> tuple[Arrays, int, int]:
    """The outputs of `rows`, a fold of `everything` after another, and how large the vocabulary was at most, and before."""
    model = trimmable(judged.fitted)
    pieces, made = [], []
    for fold in range(FOLDS):
        held = everything[fold::FOLDS]
        own = np.flatnonzero(np.isin(rows, held))
        if len(own):
            made.append(model.trimmed(understood.rows.take(np.setdiff1d(everything, held)), share))
            pieces.append((own, made[-1].fitted.outputs(understood.rows.take(rows[own]))))
    return joined(pieces, len(rows)), max(one.kept for one in made), made[0].of
