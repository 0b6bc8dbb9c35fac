"""A baseline that takes too long, or is stopped, does not hold up the search."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.hardware import limits
from autoft.history import History
from autoft.interfaces.events import TrialFinished, TrialStarted
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.steps.clock import Clock
from autoft.steps.search import fit_baseline
from autoft_plugins.models.linear import Linear
from autoft_plugins.tasks.multi_label import MultiLabel

THINGS = ["phone", "screen", "cable", "camera"]


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(0)
    targets = (generator.random((120, 4)) < 0.4).astype(np.int8)
    texts = [" and ".join(["it", *np.array(THINGS)[row == 1]]) for row in targets]
    head = Head(kind="multi_label_classification", outputs=4)
    metric = Metric(name="f1_macro")
    problem = Problem(task="multi-label", fields={}, inputs=("text",), labels=tuple(THINGS), head=head, metric=metric)
    return FitData(problem, Table({"text": texts}), targets, np.arange(90), np.arange(90, 120), tmp_path / "cache")


class Journal:
    past, leaderboard = None, ()

    def __init__(self, folder) -> None:
        self.folder, self.stop_file, self.events, self.said = folder, folder / "stop", [], []

    def stage(self, name):
        pass

    def say(self, text, level="info"):
        self.said.append(text)

    def emit(self, event):
        self.events.append(event)

    def trial_folder(self, number):
        return self.folder / str(number)


def baseline(data, journal, deadline):
    understood = SimpleNamespace(problem=data.problem, task=MultiLabel(), targets=data.targets)
    settings = SimpleNamespace(seed=0, verbose=False)
    catalog = SimpleNamespace(models={"linear": Linear()})
    found = fit_baseline(settings, catalog, understood, data, limits(None), journal, deadline)
    return found, next(event for event in journal.events if isinstance(event, TrialFinished))


def test_it_learns_in_time(data, tmp_path):
    found, row = baseline(data, Journal(tmp_path), time.time() + 600)
    assert (found.name, row.status) == ("linear", "done")
    assert row.value > 0.8


def test_a_deadline_or_the_user_stops_it(data, tmp_path):
    for name, deadline, reason in (("late", time.time() - 1, "budget"), ("stopped", None, "by hand")):
        (tmp_path / name).mkdir()
        journal = Journal(tmp_path / name)
        if deadline is None:
            journal.stop_file.write_text("stopped by hand")
        found, row = baseline(data, journal, deadline)
        assert found is None
        assert (row.status, row.value) == ("stopped", None)
        assert reason in row.reason
        assert "was not finished" in journal.said[-1]


@pytest.mark.parametrize(("status", "value", "counts"), [("done", 0.9, True), ("stopped", 0.4, True), ("stopped", None, False)])
def test_one_that_ended_before_the_run_was_resumed_is_not_fitted_again(data, tmp_path, status, value, counts):
    start = TrialStarted(trial=1, candidate="linear", hyperparameters={}, stage="baselines")
    told = {"trial": 1, "candidate": "linear", "status": status, "progress": 100, "metrics": {}, "value": value, "seconds": 1.0}
    row = TrialFinished(**told, hyperparameters={}, stage="baselines")
    journal = Journal(tmp_path)
    journal.past, journal.leaderboard = History(tmp_path, {}, (start, row)), [row]
    understood = SimpleNamespace(problem=data.problem, task=MultiLabel(), targets=data.targets)
    catalog = SimpleNamespace(models={"linear": Linear()})
    found = fit_baseline(SimpleNamespace(seed=0, verbose=False), catalog, understood, data, limits(None), journal, None)
    assert (found is not None) == counts
    assert journal.events == []


def test_it_asks_between_labels(data, listening):
    model, candidate = Linear(), Candidate("linear")
    spec = TrialSpec(1, candidate, model.space(candidate, data.problem, 90).default, 0)
    with pytest.raises(TrialError, match="after 2 of 4 labels"):
        model.fit(spec, data, listening(stop_after=2))


def test_its_time_is_a_third_of_what_is_left():
    started = time.time() - 40
    clock = Clock(started, 100.0, False, limits(None), 10, 10, 10)
    assert clock.baseline() - time.time() == pytest.approx(20, abs=1)
    assert Clock(started, None, False, limits(None), 10, 10, 10).baseline() is None
