"""A small problem to learn, made as a run makes it: the task reads the table, rows go by role, a fifth is validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import Candidate, Decision, FitData, Fitted, Limits, Model, Save, TrialSpec
from autoft.interfaces.source import Source
from autoft.interfaces.task import Match, Task
from autoft.plugins import Loaded, load_installed

LIMITS = Limits(memory=2**33, threads=1, gpus=0, seconds=None, flops=1e11)
"""Of a small machine."""


def catalog_with(plugin: object | None) -> Catalog:
    """What is installed, and what the module `plugin` gives where it is not among that."""
    installed = [one for one in load_installed() if plugin is None or one.plugin is not plugin]
    own = [] if plugin is None else [Loaded(str(getattr(plugin, "__name__", plugin)), "checked", plugin)]
    return Catalog.of([*installed, *own])


def best_task(catalog: Catalog, table: Table) -> Task:
    """The task that takes the table. Raises DataError where there is none."""
    matches = [(task, match) for task in catalog.tasks.values() if (match := matched(task, table))]
    if not matches:
        raise DataError(f"no task takes {table.origin or 'the table'}", hint="name one: task=...")
    return max(matches, key=lambda pair: pair[1].score)[0]


def matched(task: Task, table: Table) -> Match | None:
    """None also where the table is unusable for it."""
    try:
        return task.match(table, {})
    except DataError:
        return None


def fit_data(task: Task, table: Table, folder: Path) -> FitData:
    """What a trial learns from. Raises DataError as the task does."""
    match = task.match(table, {})
    if match is None:
        raise DataError(f"{task.name} does not take {table.origin or 'the table'}", hint="give a table of its kind: table=...")
    problem = task.problem(table, match, metric=None, seed=1)
    usable = table.take(np.flatnonzero(task.usable(problem, table)))
    places = np.arange(len(usable))
    held = places % 5 == 4  # even and odd rows on both sides: labels of the samples alternate
    return FitData(problem, task.inputs(problem, usable), task.targets(problem, usable), places[~held], places[held], folder / "cache")


class Told:
    """A `Report` that remembers; it answers "stop" to everything once `stop_after` reports were made."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.progress: list[float] = []
        self.outputs: list[Arrays] = []
        self.saves: list[Save] = []
        self._stop_after = stop_after

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:  # noqa: ARG002
        self.progress.append(progress)
        self.outputs.append(outputs)
        self.saves.append(save)
        return "stop" if self.stop_requested() else "go"

    def stop_requested(self) -> bool:
        return self._stop_after is not None and len(self.progress) >= self._stop_after

    def seconds_left(self) -> float | None:
        return None


@dataclass(frozen=True)
class Learned:
    """A model that learned `data`, for what needs one."""

    task: Task
    data: FitData
    fitted: Fitted


def learned(model: Model, task: Task, table: Table, folder: Path, sources: tuple[Source, ...] = ()) -> Learned:
    """By the defaults of its first candidate. Raises DataError where it has none for the problem."""
    data = fit_data(task, table, folder)
    candidates = model.candidates(data.problem, sources, LIMITS, data.rows)
    if not candidates:
        raise DataError(f"{model.name} has no candidate for {task.name}", hint="give another table, or sources=[...]")
    return Learned(task, data, model.fit(default_trial(model, candidates[0], data), data, Told()))


def default_trial(model: Model, candidate: Candidate, data: FitData) -> TrialSpec:
    """The first trial of a candidate."""
    return TrialSpec(1, candidate, dict(model.space(candidate, data.problem, len(data.train)).default), seed=7)
