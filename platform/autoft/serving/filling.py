"""Rows of several requests in one batch: as many as its padded tokens allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from autoft.data.table import Table

Waiting: TypeAlias = deque[tuple[int, int]]
"""Rows of a request: their numbers and tokens, long ones first."""


class Filling:
    """A batch that is filled in the order in which rows come. Its padded tokens, the longest row's times the rows, are `most`, unless one
    row alone has more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows = self._longest = 0

    def take(self, waiting: Waiting) -> list[int]:
        """The numbers of the first rows, as far as they fit; these wait no more."""
        taken: list[int] = []
        while waiting:
            longest = max(1, self._longest, waiting[0][1])
            if self._rows and longest * (self._rows + 1) > self._most:
                break
            taken.append(waiting.popleft()[0])
            self._rows, self._longest = self._rows + 1, longest
        return taken


def longest_first(tokens: Sequence[int]) -> Waiting:
    """Rows with so many tokens each."""
    return deque(sorted(enumerate(tokens), key=lambda row: row[1], reverse=True))


def stacked(parts: Sequence[tuple[Table, Sequence[int]]]) -> Table:
    """Some rows of each table, one table after the other; all have the same columns."""
    taken = [rows.take(numbers) for rows, numbers in parts]
    return Table({name: [value for rows in taken for value in rows[name]] for name in taken[0].names})
