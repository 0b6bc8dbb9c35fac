"""A run after its search, without a search: trials of a toy model that has two weights, on rows that are two numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from autoft.data.splits import Splits
from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.hardware import limits
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.journal import Journal
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench
from autoft.steps.understand import Understood
from autoft.trial import run_trial
from autoft_plugins.tasks.text_classification import TextClassification

PROBLEM = Problem(
    task="text-classification",
    fields={"numbers": ("numbers",), "label": ("label",)},
    inputs=("numbers",),
    labels=("negative", "positive"),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="accuracy"),
)


class Weighed:
    """A row is positive where its numbers times the weights are."""

    def __init__(self, weights: Any) -> None:
        self.weights = np.asarray(weights, float)

    def outputs(self, rows: Table) -> dict[str, Any]:
        sums = np.array([list(row) for row in rows["numbers"]]).reshape(-1, 2) @ self.weights
        return {"logits": np.stack([-sums, sums], axis=1)}

    def extra(self) -> dict[str, Any]:
        return {}

    def save(self, folder: Path) -> None:
        np.save(folder / "weights.npy", self.weights)


class Toy:
    """Its weights are its hyperparameters; with `learns` it learns them, by least squares."""

    name = "toy"
    summary = "two weights"

    def __init__(self) -> None:
        self.fits: list[FitData] = []
        self.asked = 0

    def fit(self, spec: TrialSpec, data: FitData, report: Any) -> Weighed:
        self.fits.append(data)
        if spec.hyperparameters.get("fails"):
            raise TrialError("it fails")
        fitted = Weighed(self._learned(data) if "learns" in spec.hyperparameters else [spec.hyperparameters[name] for name in "ab"])
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save)
        return fitted

    def _learned(self, data: FitData) -> Any:
        numbers = np.array([list(row) for row in data.rows.take(data.train)["numbers"]])
        return np.linalg.lstsq(numbers, 2.0 * data.targets[data.train] - 1, rcond=None)[0]

    def load(self, folder: Path) -> Weighed:
        self.asked += 1
        return Weighed(np.load(folder / "weights.npy"))


class Averaging(Toy):
    """One whose weights have a mean."""

    def average(self, folders: Sequence[Path]) -> Weighed | None:
        weights = [np.load(folder / "weights.npy") for folder in folders]
        return None if any((one == 9).any() for one in weights) else Weighed(np.mean(weights, axis=0))


def bench_of(
    folder: Path, model: Toy, rows: int = 400, *, noise: float = 0.0, candidates: Sequence[str] = ("toy",), folds: bool = False
) -> Bench:
    """Rows are positive where the sum of their numbers, and `noise`, is: half to learn from, a quarter each to judge and test by."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(rows, 2))
    targets = (numbers.sum(1) + noise * generator.normal(size=rows) > 0).astype(np.int64)
    train, validation, test = np.split(np.arange(rows), [rows // 2, 3 * rows // 4])
    table = Table({"numbers": [tuple(row) for row in numbers]})
    (folder / "cache").mkdir(parents=True)
    data = FitData(PROBLEM, table, targets, train, validation, folder / "cache")
    splits = Splits(train, validation, test)
    if folds:
        half = len(train) // 2
        data = replace(data, validation=train, folds=((train[half:], train[:half]), (train[:half], train[half:])))
        splits = Splits(train, train[:0], test, folds=np.repeat([0, 1, -1], [half, half, rows - 2 * half]))
    found: Any = None
    understood = Understood(Path("data.csv"), TextClassification(), PROBLEM, "", table, targets, splits, (), found, rows)
    journal = Journal(folder / "run", PROBLEM.metric, [])
    journal.start({})
    catalog: Any = SimpleNamespace(model=lambda name: model)
    named = {name: Candidate(*name.split(":")[:1]) for name in candidates}
    return Bench(journal, understood, data, catalog, named, 1, 0, 1, False)


def trial(
    bench: Bench, candidate: str = "toy", *, seconds: float = 1.0, stage: str = "search", status: str = "done", **chosen: Any
) -> TrialFinished:
    """One more trial, as the search leaves it."""
    number = len(bench.journal.leaderboard) + 1
    spec = TrialSpec(number, bench.candidates[candidate], chosen, 1)
    outcome = run_trial(spec, bench.data, bench.catalog.model("toy"), bench.understood.task, bench.journal.trial_folder(number))
    row = TrialFinished(
        trial=number, candidate=candidate, status=outcome.status if status == "done" else status, progress=outcome.progress,
        metrics=outcome.metrics, value=outcome.value, seconds=seconds, hyperparameters=chosen, stage=stage,
    )  # fmt: skip
    bench.journal.emit(row)
    return row


def clock_of(bench: Bench, budget: float | None = None, *, spent: float = 0.0) -> Clock:
    """`spent` seconds of the budget are gone."""
    return replace(CLOCK, started=time.time() - spent, budget=budget)


CLOCK = Clock(0.0, None, False, limits(None), 1.5, 100, 100)
