"""The trials in order, and leaderboard.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric

_ORDER = {"done": 0, "stopped": 1, "running": 2, "failed": 3}
COLUMNS = ("rank", "trial", "candidate", "status", "progress", "metric", "value", "seconds", "hyperparameters", "reason")


class Leaderboard:
    """Finished trials; iterating gives them best first. Complete trials come before stopped ones, failed ones last."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._rows: dict[int, TrialFinished] = {}

    def add(self, row: TrialFinished) -> None:
        self._rows[row.trial] = row

    def remove(self, trial: int) -> None:
        """It runs again: its row is to come."""
        self._rows.pop(trial, None)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TrialFinished]:
        return iter(sorted(self._rows.values(), key=self._key))

    def __repr__(self) -> str:
        lines = [
            f"{rank:>4}  {row.candidate}  {row.status}  {self.metric.name}={_figure(row.value)}  trial {row.trial}"
            for rank, row in enumerate(self, start=1)
        ]
        return "\n".join(lines) or "no trials yet"

    def _key(self, row: TrialFinished) -> tuple[int, float, int]:
        if row.value is None:
            return (_ORDER["failed"], 0.0, row.trial)
        return (_ORDER[row.status], -self.metric.key(row.value), row.trial)

    def usable(self) -> list[TrialFinished]:
        """The trials that left weights and a score, best first."""
        return [row for row in self if row.value is not None and row.status in ("done", "stopped")]

    def contenders(self) -> list[TrialFinished]:
        """The same by score alone: a stopped trial may be the best there is."""
        return sorted(self.usable(), key=lambda row: (-self._score(row), row.trial))

    def _score(self, row: TrialFinished) -> float:
        return float("-inf") if row.value is None else self.metric.key(row.value)

    def write(self, path: Path) -> None:
        """Write aside, then rename, so that a reader never sees half a file."""
        aside = path.with_suffix(".csv.new")
        with aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for rank, row in enumerate(self, start=1):
                writer.writerow(
                    [
                        rank,
                        row.trial,
                        row.candidate,
                        row.status,
                        row.progress,
                        self.metric.name,
                        "" if row.value is None else repr(row.value),
                        f"{row.seconds:.3f}",
                        json.dumps(row.hyperparameters, sort_keys=True),
                        row.reason,
                    ]
                )
        aside.replace(path)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
