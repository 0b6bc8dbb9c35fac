"""A smaller vocabulary, where it is asked for: the smallest that costs no more than the user allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.model import Fitted, Trimmed, TrimsVocabulary
from autoft.steps.formats import Judged, Loss, judged_rows, lost
from autoft.steps.understand import Understood

SHARES = (0.0, 0.125, 0.25, 0.5)
"""What is tried, of the tokens that are not needed: see `TrimsVocabulary`."""


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

    The rows that judge have no say in which tokens stay: those of the rows to learn from do alone, as words of tomorrow's texts will find
    them. Raises ExportError as `trim` does.
    """
    rows = judged_rows(understood)
    expected = judged.fitted.outputs(understood.rows.take(rows))
    for share in SHARES:
        given, kept, of = _answers(judged, understood, rows, share)
        loss = lost(understood, judged, rows, expected, given, max_loss)
        if loss.kept:
            yield share, loss
        else:
            say(f"a vocabulary of {kept:,} of {of:,} tokens costs {loss.in_words()}")


def _answers(judged: Judged, understood: Understood, rows: npt.NDArray[np.int64], share: float) -> tuple[Arrays, int, int]:
    """The outputs of `rows`, and how large the vocabulary was at most, and before."""
    model, splits = trimmable(judged.fitted), understood.splits
    pieces, made = [], []
    for train, held in splits.rounds() or ((splits.train, splits.validation),):
        own = np.flatnonzero(np.isin(rows, held))
        if len(own):
            made.append(model.trimmed(understood.rows.take(train), share))
            pieces.append((own, made[-1].fitted.outputs(understood.rows.take(rows[own]))))
    return joined(pieces, len(rows)), max(one.kept for one in made), made[0].of
