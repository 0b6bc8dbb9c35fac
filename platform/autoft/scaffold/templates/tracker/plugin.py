"""Writes a line of CSV for every trial that ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import autoft
from autoft.interfaces.events import Event, TrialFinished
from autoft.interfaces.tracker import Tracker

COLUMNS = ("run", "trial", "candidate", "status", "value", "seconds", "hyperparameters", "reason")


class CsvTracker:
    """The file stands beside the run's folder and grows with every run there: one for all runs."""

    name = "example-plugin"
    summary = "a line of CSV for every trial, in one file beside the runs"

    def open(self, run_id: str, folder: Path) -> None:
        """Begin the file with its header, where it is not there yet."""
        self._run, self._path = run_id, folder.resolve().parent / "example-plugin.csv"
        if not self._path.exists():
            self._write(COLUMNS)

    def event(self, event: Event) -> None:
        """Everything that happens comes here; what is not wanted is passed over."""
        if isinstance(event, TrialFinished):
            hyperparameters = json.dumps(event.hyperparameters, default=str)
            told = (event.trial, event.candidate, event.status, event.value, round(event.seconds, 3), hyperparameters, event.reason)
            self._write((self._run, *told))

    def close(self) -> None:
        """Every line was written as it came: there is nothing left to do."""

    def _write(self, values: Sequence[object]) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(values)


@autoft.hookimpl
def autoft_register_trackers() -> Sequence[Tracker]:
    """What the entry point gives to autoft."""
    return [CsvTracker()]
