"""The trials in order, and leaderboard.csv."""

from __future__ import annotations

import csv
import io
import json
from bisect import insort
from collections.abc import Iterable, Iterator
from pathlib import Path

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric

_ORDER = {"done": 0, "stopped": 2, "running": 4, "failed": 6}
_USABLE = 3
"""The last place of trials that left a score; one more than each is that of trials that learned from a part of the rows."""
ALL_ROWS = "all rows"
"""The stage in which what did best on a part of the training rows learns from all of them."""

COLUMNS = ("rank", "trial", "candidate", "status", "progress", "metric", "value", "seconds", "hyperparameters", "reason", "rows")


class Leaderboard:
    """Finished trials; iterating gives them best first. Complete trials come before stopped ones, failed ones last, and among either those
    that had all training rows before those that had a part of them.

    Kept in order and each put into words once, so that a search of a thousand trials does not sort and write all of them a thousand times.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._rows: dict[int, TrialFinished] = {}
        self._lines: dict[int, str] = {}
        self._order: list[tuple[int, float, int]] = []

    def add(self, row: TrialFinished) -> None:
        self.remove(row.trial)
        self._rows[row.trial] = row
        self._lines[row.trial] = _line(row, self.metric)
        insort(self._order, self._key(row))

    def remove(self, trial: int) -> None:
        """It runs again: its row is to come."""
        if trial in self._rows:
            self._order.remove(self._key(self._rows.pop(trial)))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TrialFinished]:
        return (self._rows[trial] for _, _, trial in list(self._order))

    def __repr__(self) -> str:
        lines = [
            f"{rank:>4}  {row.candidate}  {row.status}  {self.metric.name}={_figure(row.value)}  trial {row.trial}"
            for rank, row in enumerate(self, start=1)
        ]
        return "\n".join(lines) or "no trials yet"

    def _key(self, row: TrialFinished) -> tuple[int, float, int]:
        if row.value is None:
            return (_ORDER["failed"], 0.0, row.trial)
        return (_ORDER[row.status] + (row.rows is not None), -self.metric.key(row.value), row.trial)

    def usable(self) -> list[TrialFinished]:
        """The trials that left weights and a score, best first."""
        return [self._rows[trial] for place, _, trial in self._order if place <= _USABLE]

    def contenders(self) -> list[TrialFinished]:
        """The same by score alone: a stopped trial may be the best there is. Those that learned from a part of the rows stand behind the
        others once the best of them has learned from all: on like rows it was ahead."""
        found = self._by_score()
        settled = any(row.stage == ALL_ROWS and row.status == "done" for row in found)
        return sorted(found, key=lambda row: row.rows is not None) if settled else found

    def of_part(self) -> list[TrialFinished]:
        """Those that learned from a part of the rows, by score."""
        return [row for row in self._by_score() if row.rows is not None]

    def _by_score(self) -> list[TrialFinished]:
        return [self._rows[trial] for _, trial in sorted((score, trial) for place, score, trial in self._order if place <= _USABLE)]

    def write(self, path: Path) -> None:
        """Write aside, then rename, so that a reader never sees half a file."""
        aside = path.with_suffix(".csv.new")
        with aside.open("w", encoding="utf-8", newline="") as file:
            file.write(_csv(COLUMNS))
            file.writelines(f"{rank},{self._lines[trial]}" for rank, (_, _, trial) in enumerate(self._order, start=1))
        aside.replace(path)


def _line(row: TrialFinished, metric: Metric) -> str:
    """All columns but the rank, which changes as other trials end."""
    value = "" if row.value is None else repr(row.value)
    settings = json.dumps(row.hyperparameters, sort_keys=True)
    cells = (row.trial, row.candidate, row.status, row.progress, metric.name, value, f"{row.seconds:.3f}", settings, row.reason)
    return _csv((*cells, "" if row.rows is None else row.rows))


def _csv(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
