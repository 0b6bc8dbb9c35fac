"""The search is shown in two stages: the first points of each candidate, then what the tuner proposes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.data.table import Table
from autoft.errors import SettingsError
from autoft.guard import TIMEOUT_VARIABLE
from autoft.history import History
from autoft.interfaces.events import EVENTS, StageStarted, TrialStarted
from autoft.interfaces.model import Candidate, FitData
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.space import LogUniform, Space
from autoft.journal import Journal
from autoft.steps.choose import Choice
from autoft.steps.search import LEAST_SECONDS, preparing, reach, search

DEFAULT, POINT, OWN = {"rate": 0.1}, {"rate": 0.2}, {"rate": 0.3}


class Model:
    name, summary = "toy", ""

    def space(self, candidate, problem, rows):
        return Space({"rate": LogUniform(0.01, 1.0)}, DEFAULT, (POINT,))


class Tuner:
    """Starts trials with these settings and tells nothing more of them."""

    name, summary = "toy", ""

    def __init__(self, points):
        self.points = points

    def search(self, request, on_event):
        for number, point in enumerate(self.points, start=request.first_number + len(request.history)):
            on_event(TrialStarted(trial=number, candidate="toy", hyperparameters=point))


@pytest.fixture
def told(tmp_path: Path):
    """`told(points)`: the stages and trials in order, of a run that went on from `past` where that is given."""

    def run(*points, past=(), exporter=None, model=None, deadline=None, ready=lambda: None, ray_address=None):
        problem = Problem(
            task="toy",
            fields={},
            inputs=("text",),
            head=Head(kind="single_label_classification", outputs=2),
            metric=Metric(name="accuracy"),
        )
        journal = Journal(tmp_path / "run", problem.metric, [])
        journal.start({})
        if past:
            started = [TrialStarted(trial=number, candidate="toy", hyperparameters=one) for number, one in enumerate(past, start=1)]
            journal.past = History(journal.folder, {}, tuple(started))
        data = FitData(problem, Table({"text": ["x"] * 4}), np.zeros(4, np.int64), np.arange(3), np.arange(3, 4), tmp_path)
        known = {"models": {"toy": model or Model()}, "tuners": {"toy": Tuner(points)}, "exporters": {"toy": exporter}}
        empty = {kind: {} for kind in ("tasks", "readers", "encoders", "trackers", "sources")}
        settings = SimpleNamespace(
            tuner="toy", exporter="toy", seed=0, trials=None, gpu_hours=None, verbose=False, hang_after=None, ray_address=ray_address
        )
        choice, clock = Choice((Candidate("toy"),), (), frozenset()), SimpleNamespace(plateau=False)
        search(settings, Catalog(**known, **empty), choice, clock, journal, data, None, deadline, 1, {}, lambda: None, ready)
        events = map(EVENTS.validate_json, (journal.folder / "events.jsonl").read_text().splitlines())
        journal.close()
        return [
            event.stage if isinstance(event, StageStarted) else event.hyperparameters for event in events if event.event != "trial_finished"
        ]

    return run


def test_the_search_begins_with_the_first_settings_of_its_own(told):
    assert told(DEFAULT, POINT, OWN, OWN) == ["first points", DEFAULT, POINT, "search", OWN, OWN]


def test_with_first_points_alone_there_is_no_other_stage(told):
    assert told(POINT) == ["first points", POINT]


@pytest.mark.parametrize(("past", "stage"), [((DEFAULT,), "first points"), ((DEFAULT, OWN), "search")])
def test_a_run_that_goes_on_goes_on_in_its_stage(past, stage, told):
    assert told(POINT, past=past) == [stage, POINT]


@pytest.mark.parametrize("stage", ["first points", "search"])
def test_a_run_that_was_cut_off_in_either_had_begun_to_search(stage, tmp_path):
    past = History(tmp_path, {}, (StageStarted(stage="ranking"), StageStarted(stage=stage)))
    assert past.searching
    assert past.baselined
    assert not past.searched


class Slow:
    """An exporter whose libraries are imported in a while, or cannot be."""

    name = "toy"

    def __init__(self, error=None):
        self.error, self.told = error, []

    def preload(self):
        time.sleep(0.2)
        self.told.append(threading.current_thread() is threading.main_thread())
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, ImportError("no such module")])
def test_what_the_export_needs_is_imported_once_while_trials_run(told, error):
    exporter = Slow(error)
    assert told(DEFAULT, POINT, exporter=exporter) == ["first points", DEFAULT, POINT], "an error is the export's to tell"
    assert exporter.told == [False], "once, beside the search, and no more of it is to come when that has ended"


def test_nothing_is_imported_for_a_search_without_a_trial(told):
    exporter = Slow()
    assert told(exporter=exporter) == ["first points"]
    assert exporter.told == []


class Heavy(Model):
    """A model whose libraries take a while, or for ever, or cannot be imported."""

    def __init__(self, lasts=0.1, error=None):
        self.lasts, self.error, self.imported = lasts, error, 0

    def import_libraries(self):
        time.sleep(self.lasts)
        self.imported += 1
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, ImportError("no such library")])
def test_what_models_need_is_imported_while_the_tuner_gets_ready(told, error):
    model, seen = Heavy(error=error), []
    told(POINT, model=model, ready=lambda: seen.append(model.imported))
    assert seen == [1]


def test_libraries_that_hang_do_not_keep_the_search(told, monkeypatch):
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.2")
    assert told(POINT, model=Heavy(lasts=5.0)) == ["first points", POINT]


def test_nothing_is_imported_for_a_search_that_is_short(told):
    model = Heavy()
    told(POINT, model=model, deadline=time.time() + LEAST_SECONDS - 1)
    assert model.imported == 0


def test_nothing_is_imported_for_a_search_that_is_elsewhere(told):
    model = Heavy()
    told(POINT, model=model, ray_address="auto")
    assert model.imported == 0


class EarlyRiser(Tuner):
    """One that can begin before its search."""

    def __init__(self):
        super().__init__([])
        self.told = []

    @contextmanager
    def prepare(self, concurrency, models, *, verbose):
        self.told.append(("begun", concurrency, *models))
        yield lambda: self.told.append("ready")
        self.told.append("over")


@pytest.mark.parametrize(
    ("seconds", "changes", "told"),
    [
        (60.0, {"concurrency": None}, [("begun", 1, "linear", "full"), "ready", "over"]),
        (None, {}, [("begun", 2, "linear", "full"), "ready", "over"]),
        (60.0, {}, [("begun", 2, "linear", "full"), "ready", "over"]),
        (5.0, {}, []),
        (None, {"ray_address": "auto"}, []),
        (None, {"past": SimpleNamespace(searched=True)}, []),
        (None, {"past": SimpleNamespace(searched=False)}, [("begun", 2, "linear", "full"), "ready", "over"]),
        (None, {"stopping": True}, []),
    ],
)
def test_a_tuner_is_told_early_of_a_search_that_is_certain_to_come_and_of_no_other(seconds, changes, told):
    tuner = EarlyRiser()
    settings = SimpleNamespace(tuner="toy", verbose=False, **{"concurrency": 2, "ray_address": None, **changes})
    journal = SimpleNamespace(past=changes.get("past"), stopping=changes.get("stopping", False))
    catalog = SimpleNamespace(tuner={"toy": tuner}.get)
    until = None if seconds is None else time.time() + seconds
    clock = SimpleNamespace(searching=lambda tried: until, side_by_side=lambda tried, deadline: 1)
    choice = SimpleNamespace(tried=[Candidate("linear"), Candidate("full"), Candidate("full")])
    with preparing(settings, catalog, choice, clock, journal) as ready:
        ready()
    assert tuner.told == told


def test_a_tuner_that_cannot_begin_early_begins_when_it_is_asked():
    settings = SimpleNamespace(tuner="toy", concurrency=None, verbose=False, ray_address=None)
    catalog = SimpleNamespace(tuner={"toy": Tuner([])}.get)
    clock = SimpleNamespace(searching=lambda tried: None, side_by_side=lambda tried, deadline: None)
    with preparing(settings, catalog, SimpleNamespace(tried=[]), clock, SimpleNamespace(past=None, stopping=False)) as ready:
        ready()


def test_a_tuner_that_knows_no_cluster_does_not_search_here_instead():
    reach(Tuner([]), None)
    with pytest.raises(SettingsError, match="the tuner 'toy' does not search on a Ray cluster"):
        reach(Tuner([]), "auto")
