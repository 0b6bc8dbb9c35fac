"""A search that was cut off at any event goes on as if it had not been. Ray is left out: its calls are made by hand."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import pytest

from autoft.history import History
from autoft.interfaces.events import TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import SHARED, Candidate
from autoft.interfaces.problem import Metric
from autoft.interfaces.space import Choice, LogUniform, Space
from autoft.trial import TrialOutcome
from autoft_autotune.allocator import Allocator
from autoft_autotune.book import Book
from autoft_autotune.limits import Limits
from autoft_autotune.replay import replay
from autoft_autotune.resources import Plan
from autoft_autotune.searcher import CandidateSearcher
from autoft_autotune.stopping import CandidateHalving
from autoft_autotune.wire import TRIAL, TrialOrder, outcome_result, report_result

METRIC = Metric(name="accuracy")
TRIALS = 24
ALONE = Plan(1, 1)
SPACES = {
    "wide": Space({"rate": LogUniform(1e-4, 1.0), "batch_size": Choice((4, 8, 16, 32))}, {"rate": 0.1, "batch_size": 32}),
    "few": Space({"kind": Choice(("a", "b", "c"))}, {"kind": "a"}, ({"kind": "b"},)),
    "broken": Space({"rate": LogUniform(1e-4, 1.0)}, {"rate": 0.1}),
}


def request(folder, **changes):
    plain = {
        "candidates": [Candidate(name, flops=1.0) for name in SPACES],
        "spaces": SPACES,
        "named": frozenset(),
        "seed": 3,
        "trials": TRIALS,
        "first_number": 2,
        "history": (),
        "hang_after": None,
    }
    return SimpleNamespace(stop_file=folder / "stop", **{**plain, **changes})


def outcome_of(order: TrialOrder):
    """What a trial reports, percent and score, and how it ends: a function of its hyperparameters alone."""
    point = order.hyperparameters
    if order.candidate == "broken":
        return [(20, 0.1)], TrialOutcome("failed", 20, {"accuracy": 0.1}, 0.1, 1.0, 0.5, "ValueError: no")
    if order.candidate == "wide" and point["batch_size"] >= 16:
        return [], TrialOutcome("failed", 0, seconds=1.0, reason="MemoryError: ")
    best = 1 - abs(math.log10(point["rate"]) + 1.5) / 3 if "rate" in point else 0.4 + 0.1 * "abc".index(point["kind"])
    curve = [(20, best * 0.5), (50, best * 0.9), (100, best)]
    return curve, TrialOutcome("done", 100, {"accuracy": best}, best, 2.0, 1.0)


class Loop:
    """One trial at a time, by the calls of Ray's loop."""

    def __init__(self, made, plan=ALONE):
        self.events = []
        self.book = Book(METRIC, self.events.append)
        self.limits = Limits(getattr(made, "deadline", None), made.stop_file, None, plan, self.book)
        self.searcher = CandidateSearcher(made, plan, self.book, self.limits)
        self.scheduler = CandidateHalving(lambda trial_id: self.book[trial_id].candidate)
        replay(made.history, METRIC, self.book, self.searcher, self.scheduler)
        self.asked = 0

    def ask(self):
        """Ray's trial and the order, or None at the end."""
        self.asked += 1
        trial = SimpleNamespace(trial_id=f"ray-{self.asked}")
        config = self.searcher.suggest(trial.trial_id)
        if not isinstance(config, dict):
            return None
        self.scheduler.on_trial_add(None, trial)
        return trial, TrialOrder.from_json(config[TRIAL])

    def expected(self):
        """Seconds of a trial of `few`."""
        return self.searcher._allocator.expected_seconds("few")

    def run(self):
        while (asked := self.ask()) is not None:
            trial, order = asked
            self.book.start(trial.trial_id)
            self.finish(trial, *outcome_of(order), number=order.number)
            self.book.finish(trial.trial_id)
        return self.events

    def finish(self, trial, curve, outcome, *, number):
        for percent, score in curve:
            report = TrialReported(trial=number, progress=percent, metrics={"accuracy": score})
            result = report_result(report, score, 2.0 * percent / 100, 1.0)
            decision = self.scheduler.on_trial_result(None, trial, result)
            if decision != "STOP":
                self.searcher.on_trial_result(trial.trial_id, result)
            self.book.report(trial.trial_id, report, 2.0 * percent / 100, 1.0)
            if decision == "STOP":
                self.scheduler.on_trial_complete(None, trial, result)
                self.searcher.on_trial_complete(trial.trial_id, result)
                return
        result = outcome_result(outcome, outcome.value)
        self.scheduler.on_trial_complete(None, trial, result)
        self.searcher.on_trial_complete(trial.trial_id, result)


def rows(events):
    return {
        e.trial: (e.candidate, e.status, e.progress, e.value, e.hyperparameters, e.reason) for e in events if isinstance(e, TrialFinished)
    }


def past(folder, events):
    return History(folder, {"settings": {}}, tuple(events)).of_search()


def test_wherever_it_is_cut_off_a_search_goes_on_as_if_it_had_not_been(tmp_path):
    whole = Loop(request(tmp_path)).run()
    ended = rows(whole)
    assert sorted(ended) == list(range(2, 2 + TRIALS))
    assert {status for _, status, *_ in ended.values()} == {"done", "stopped", "failed"}
    assert max(row[4]["batch_size"] for row in ended.values() if row[0] == "wide" and row[1] != "failed") == 8
    for cut in range(len(whole) + 1):
        told = Loop(request(tmp_path, history=past(tmp_path, whole[:cut]))).run()
        assert rows([*whole[:cut], *told]) == ended, f"cut off after {cut} events"
        again = {e.trial for e in whole[:cut] if isinstance(e, TrialFinished)} & {e.trial for e in told}
        assert not again, "what had ended is told of again"


def test_what_a_trial_left_to_the_others_is_known_while_it_runs_and_after_a_resume(tmp_path):
    loop = Loop(request(tmp_path, candidates=[Candidate("few", flops=1.0)], spaces={"few": SPACES["few"]}))
    trial, order = loop.ask()
    loop.book.start(trial.trial_id)
    report = TrialReported(trial=order.number, progress=50, metrics={"accuracy": 0.5}, measures={SHARED: 90.0})
    loop.searcher.on_trial_result(trial.trial_id, report_result(report, 0.5, 91.0, 1.0))
    loop.book.report(trial.trial_id, report, 91.0, 1.0)
    assert loop.expected() == pytest.approx(2.0), "half of it took a second"
    loop.finish(trial, [], TrialOutcome("done", 100, {"accuracy": 0.5}, 0.5, 93.0, 1.0, shared_seconds=90.0), number=order.number)
    loop.book.finish(trial.trial_id)
    assert loop.events[-1].shared_seconds == 90.0
    assert loop.expected() == pytest.approx(3.0)
    again = Loop(request(tmp_path, candidates=[Candidate("few", flops=1.0)], spaces=SPACES, history=past(tmp_path, loop.events)))
    assert again.expected() == pytest.approx(3.0)


def test_a_search_that_is_cut_off_again_and_again(tmp_path):
    ended = rows(Loop(request(tmp_path)).run())
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    events = []
    while len(rows(events)) < TRIALS:
        told = Loop(request(tmp_path, history=past(tmp_path, events))).run()
        events += told[: draw.randint(1, 20)]
    assert rows(events) == ended, f"seed {seed}"


def test_of_several_that_had_not_ended_each_starts_again_before_any_new_one(tmp_path):
    made = request(tmp_path)
    loop = Loop(made, Plan(3, 1))
    asked = [loop.ask() for _ in range(3)]
    for trial, _ in asked[::-1]:
        loop.book.start(trial.trial_id)
    assert loop.ask() is None, "a fourth has no place"
    trial, order = asked[1]
    loop.finish(trial, *outcome_of(order), number=order.number)
    loop.book.finish(trial.trial_id)

    resumed = Loop(replace_history(made, past(tmp_path, loop.events)), Plan(3, 1))
    again = [resumed.ask()[1] for _ in range(3)]
    first, _, third = (order for _, order in asked)
    assert [(o.number, o.candidate, o.hyperparameters, o.seed) for o in again[:2]] == [
        (o.number, o.candidate, o.hyperparameters, o.seed) for o in (first, third)
    ]
    assert again[2].number == 5


def replace_history(made, history):
    return SimpleNamespace(**{**vars(made), "history": history})


def test_a_worker_that_dies_before_its_trial_begins_costs_no_trial_but_not_for_ever(tmp_path):
    loop = Loop(request(tmp_path, trials=2), Plan(3, 1))
    (_, first), (lost, second) = loop.ask(), loop.ask()
    assert loop.searcher.suggest("more") is None, "neither has begun"
    loop.book.start("ray-1")
    loop.scheduler.on_trial_error(None, lost)
    loop.searcher.on_trial_complete(lost.trial_id, error=True)
    again, order = loop.ask()
    assert order == second
    loop.searcher.on_trial_complete(again.trial_id, error=True)
    assert loop.book[again.trial_id].status == "failed"
    loop.book.finish(again.trial_id)
    assert loop.searcher.suggest("more") == "FINISHED"
    assert [e.trial for e in loop.events if isinstance(e, TrialFinished)] == [second.number]
    assert first.number == 2


def test_a_number_that_was_asked_for_and_never_began_is_not_lost(tmp_path):
    start = TrialStarted(trial=4, candidate="few", hyperparameters={"kind": "b"})
    loop = Loop(request(tmp_path, history=(start,), candidates=[Candidate("few")]), Plan(9, 1))
    orders = [loop.ask()[1] for _ in range(3)]
    assert [(order.number, order.hyperparameters["kind"]) for order in orders] == [(4, "b"), (2, "a"), (3, "c")]
    assert loop.ask() is None


def test_a_candidates_first_trial_still_runs_through_when_it_starts_again(tmp_path):
    loop = Loop(request(tmp_path), Plan(9, 1))
    asked = [loop.ask() for _ in range(9)]
    kinds = [(trial, order) for trial, order in asked if order.candidate == "few"]
    for trial, _ in kinds:
        loop.book.start(trial.trial_id)
    for trial, order in kinds[1:]:
        loop.finish(trial, *outcome_of(order), number=order.number)
        loop.book.finish(trial.trial_id)
    resumed = Loop(request(tmp_path, history=past(tmp_path, loop.events)))
    trial, order = resumed.ask()
    assert order.number == kinds[0][1].number
    for percent in (20, 50):
        assert resumed.scheduler.on_trial_result(None, trial, {"percent": percent, "score": -1.0}) == "CONTINUE"


def test_what_does_not_fit_any_more_is_not_started_again(tmp_path):
    name = "wide"
    allocator = Allocator([Candidate(name, flops=1.0)], frozenset(), clock=True)
    allocator.started(name)
    allocator.observed(name, 1, 0.5, 100.0, 100)
    assert allocator.has_time(name, 100.0)
    assert not allocator.has_time(name, 50.0)
    assert allocator.has_time(name, None)


@pytest.mark.parametrize("events", [1, 2])
def test_reports_of_a_trial_that_had_not_ended_are_forgotten(tmp_path, events):
    started = TrialStarted(trial=2, candidate="few", hyperparameters={"kind": "a"})
    report = TrialReported(trial=2, progress=20, metrics={"accuracy": 0.2})
    assert past(tmp_path, [started, report][:events]) == (started,)


def test_the_last_start_of_a_trial_counts(tmp_path):
    def told(value):
        start = TrialStarted(trial=2, candidate="few", hyperparameters={"kind": "a"})
        end = TrialFinished(
            trial=2, candidate="few", status="done", progress=100, metrics={"accuracy": value}, value=value, seconds=1.0,
            hyperparameters={"kind": "a"},
        )  # fmt: skip
        return [start, end]

    first, second = told(0.1), told(0.2)
    assert past(tmp_path, first + second) == tuple(second)
    assert past(tmp_path, first + second[:1]) == tuple(second[:1])
