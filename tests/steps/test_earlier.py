"""`--like RUN`: what was best in an earlier run is tried first."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoft.errors import InputError, SettingsError
from autoft.history import History
from autoft.interfaces.events import TrialFinished, TrialStarted
from autoft.interfaces.space import LogUniform, Space
from autoft.steps.earlier import begun_with, earlier_points


def run(*trials, metric="accuracy", greater=True):
    """A run of these trials: candidate, rate, status, value."""
    events = []
    for number, (candidate, rate, status, value) in enumerate(trials, start=1):
        point = {"rate": rate}
        events.append(TrialStarted(trial=number, candidate=candidate, hyperparameters=point))
        ended = TrialFinished(
            trial=number, candidate=candidate, hyperparameters=point, status=status, progress=100, metrics={}, value=value, seconds=1.0
        )
        events.append(ended)
    problem = {"task": "text-classification", "metric": {"name": metric, "greater_is_better": greater}}
    return History(Path("run"), {"run_id": "earlier", "problem": problem}, tuple(events))


TRIALS = (
    ("full:a", 0.1, "done", 0.70),
    ("full:a", 0.2, "done", 0.80),
    ("full:a", 0.3, "stopped", 0.95),
    ("full:a", 0.4, "failed", None),
    ("full:a", 0.5, "done", 0.90),
    ("linear", 1.0, "done", 0.60),
)


def test_the_best_of_each_candidate_that_ended_come_first():
    assert earlier_points(None, run(*TRIALS), "text-classification") == {
        "full:a": [{"rate": 0.5}, {"rate": 0.2}],
        "linear": [{"rate": 1.0}],
    }


def test_of_errors_the_smallest_are_best():
    points = earlier_points(None, run(*TRIALS, metric="mae", greater=False), "text-classification")
    assert points["full:a"] == [{"rate": 0.1}, {"rate": 0.2}]


def test_without_an_earlier_run_there_are_none():
    assert earlier_points(None, None, "text-classification") == {}


def test_a_resumed_run_keeps_its_own_whatever_became_of_the_other():
    kept = {"linear": [{"rate": 3.0}]}
    past = History(Path("run"), {"earlier": kept}, ())
    assert earlier_points(past, None, "text-classification") == kept
    assert earlier_points(History(Path("run"), {}, ()), None, "text-classification") == {}


def test_a_run_of_another_task_or_without_an_end_is_refused():
    with pytest.raises(SettingsError, match="that run learned text-classification, this one pair-score"):
        earlier_points(None, run(*TRIALS), "pair-score")
    with pytest.raises(InputError, match="no trial of that run ended"):
        earlier_points(None, run(("linear", 1.0, "failed", None)), "text-classification")


def space(*names):
    point = dict.fromkeys(names, 0.1)
    return Space(dict.fromkeys(names, LogUniform(0.01, 1.0)), point, ({**point, "rate": 0.2},))


def test_points_stand_before_the_spaces_own_and_none_twice():
    found = begun_with({"full:a": space("rate"), "other": space("rate")}, {"full:a": [{"rate": 0.5}, {"rate": 0.2}]}, pytest.fail)
    assert (found["full:a"].default, found["full:a"].first) == ({"rate": 0.5}, ({"rate": 0.2}, {"rate": 0.1}))
    assert found["other"] == space("rate")


def test_points_of_other_hyperparameters_are_left_out_aloud():
    said = []
    spaces = {"full:a": space("rate", "crf")}
    assert begun_with(spaces, {"full:a": [{"rate": 0.5}]}, said.append) == spaces
    assert said == ["full:a has other hyperparameters than in the earlier run: 1 of its points are left out"]
