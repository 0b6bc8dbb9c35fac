"""What a proof asks a graph: rows in a dozen or more combinations of batch, length and padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autoft.data.table import Table
from autoft.interfaces.encoder import Encoding

LARGE, LARGE_WRITTEN = 33, 5
"""The second for models that write: each row takes as long as dozens of others."""
_ODD_LENGTH = 7
_SEVERAL_SAMPLES = ((1, 5), (2, 1), (3, 3), (7, 2), (LARGE, 2))
"""(batch, samples) where rows have no length to vary: 13 combinations."""


def questions(encoding: Encoding, rows: Table, large: int) -> Iterator[tuple[Table, tuple[int | None, ...]]]:
    """Rows to ask about, and the lengths to pad them to, one after the other."""
    if encoding.max_length is None:
        begin = 0
        for batch, samples in _SEVERAL_SAMPLES:
            for _ in range(samples):
                yield _sample(rows, begin, batch), (None,)
                begin += batch
        return
    longest = encoding.max_length
    for batch, length, paddings in _shapes(longest, large):
        asked = encoding.resized(_sample(rows, batch, batch), length)
        yield asked, tuple(min(longest, length + padding) if padding else None for padding in paddings)
    yield _sample(rows, 0, _ODD_LENGTH), (None,)


def _shapes(longest: int, large: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """(batch, length, paddings). Long rows come in small batches: they cost the most and prove as much."""
    odd = min(_ODD_LENGTH, longest)
    return [
        (1, 1, (0, 4)),
        (1, odd, (0, 5, longest)),
        (1, longest, (0,)),
        (2, odd, (0,)),
        (3, 1, (0,)),
        (3, odd, (0, longest)),
        (3, longest, (0,)),
        (large, 1, (0,)),
        (large, odd, (0, 2)),
    ]


def _sample(rows: Table, begin: int, count: int) -> Table:
    """`count` rows from `begin` on, starting over at the end of the table."""
    return rows.take((begin + np.arange(count)) % len(rows))
