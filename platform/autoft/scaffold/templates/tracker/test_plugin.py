"""The tracker keeps its contract, and writes what it was told."""

from __future__ import annotations

import csv
from pathlib import Path

from autoft.interfaces.events import TrialFinished
from autoft.scaffold.templates.tracker.plugin import CsvTracker
from autoft.testing import check_tracker


def test_it_keeps_the_contract_of_a_tracker() -> None:
    check_tracker(CsvTracker())


def test_every_trial_of_every_run_is_a_line(tmp_path: Path) -> None:
    end = TrialFinished(
        trial=1, candidate="linear", status="done", progress=100, metrics={"f1": 0.5}, value=0.5, seconds=2, hyperparameters={"C": 1.0}
    )
    for run in ("one", "two"):
        tracker = CsvTracker()
        tracker.open(run, tmp_path / run)
        tracker.event(end)
        tracker.close()
    with (tmp_path / "example-plugin.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["run"], line["trial"], line["value"]) for line in lines] == [("one", "1", "0.5"), ("two", "1", "0.5")]
