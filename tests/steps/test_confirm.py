"""Who meets again before the best is believed."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric
from autoft.steps import export
from autoft.steps.confirm import Confirmation, confirm, contenders, in_reach, round_cost
from benches import Toy, bench_of, clock_of, trial


def row(trial: int, candidate: str, value: float, rows: int | None = None) -> TrialFinished:
    facts = {"status": "done", "progress": 100, "metrics": {}, "seconds": 10.0, "hyperparameters": {}, "stage": "search"}
    return TrialFinished(trial=trial, candidate=candidate, value=value, rows=rows, **facts)


def judged(validation: int, *, greater: bool = True) -> SimpleNamespace:
    problem = SimpleNamespace(metric=Metric(name="a metric", greater_is_better=greater))
    names = {name: name for name in ("full", "frozen", "other")}
    data = SimpleNamespace(validation=np.arange(validation))
    return SimpleNamespace(understood=SimpleNamespace(problem=problem), data=data, candidates=names)


def met(ranked: list[TrialFinished], validation: int = 100, *, greater: bool = True) -> list[int]:
    return [one.trial for one in contenders(judged(validation, greater=greater), ranked)]


def test_another_candidate_that_chance_may_have_put_behind_and_else_the_second():
    ranked = [row(3, "frozen", 0.904), row(2, "frozen", 0.903), row(1, "full", 0.902), row(4, "other", 0.901)]
    assert met(ranked) == [3, 1]
    assert met(ranked, validation=10**6) == [3, 2], "of so many rows it is no chance"
    assert met([*ranked[:2], row(1, "full", 0.853)]) == [3, 2]
    assert met([*ranked[:2], row(1, "full", 0.855)]) == [3, 1]
    assert met(ranked[:1]) == [3]


@pytest.mark.parametrize(("error", "expected"), [(1.07, [1, 3]), (1.09, [1, 2])])
def test_errors_are_told_in_their_own_units(error, expected):
    ranked = [row(1, "a", 1000.0), row(2, "a", 1000.0 * error), row(3, "b", 1000.0 * error)]
    assert met(ranked, greater=False) == expected


def test_what_learned_from_other_rows_meets_nobody():
    ranked = [row(3, "full", 0.90, rows=None), row(2, "frozen", 0.90, rows=50), row(1, "full", 0.89)]
    assert met(ranked) == [3, 1]


def test_the_end_is_kept_for_all_that_may_come_first_as_the_search_goes_on():
    """A run ended 10 % late: while the baseline led, the search was put off to what its export takes, and then a dearer one won."""
    ranked = [row(1, "frozen", 0.904), row(5, "frozen", 0.90), row(2, "full", 0.883), row(4, "other", 0.80)]
    assert in_reach(judged(600), ranked) == ["frozen", "full"]
    assert in_reach(judged(6000), ranked) == ["frozen"], "of so many rows it is far behind"
    assert in_reach(judged(600), [ranked[0], row(2, "full", 0.9, rows=50)]) == ["frozen"]
    assert in_reach(judged(600, greater=False), ranked[::-1]) == ["other"]


@pytest.mark.parametrize(("weight", "holds"), [(1.0, True), (0.0, False)])
def test_a_cheap_one_has_to_hold_by_itself_where_a_dear_rival_has_no_time(tmp_path, weight, holds):
    bench = bench_of(tmp_path, Toy(), candidates=("toy", "other"))
    cheap = trial(bench, "toy", seconds=0.1, a=1.0, b=weight).model_copy(update={"value": 0.98})
    dear = trial(bench, "other", seconds=1000.0, learns=True, a=0.0).model_copy(update={"value": 0.96})
    found = confirm(bench, [cheap, dear], time.time() + 60, refit_seconds=0.0)
    assert found.order == ((cheap, dear) if holds else (dear, cheap))
    assert (found.folds, found.figures[dear.trial]) == (0, [0.96]), "they did not meet, which is no confirmation of either"
    assert len(found.figures[cheap.trial]) == 5
    both = confirm(bench, [cheap, dear.model_copy(update={"seconds": 0.1})], time.time() + 60, refit_seconds=0.0)
    assert (both.folds, len(both.figures[dear.trial])) == (4, 5), "where it has, both learn again"
    alike = confirm(bench, [cheap, dear.model_copy(update={"candidate": "toy"})], time.time() + 60, refit_seconds=0.0)
    assert alike.figures is None, "of one candidate, neither"


def test_a_round_costs_what_both_do():
    bench = SimpleNamespace(cost=lambda one, rows: one.seconds * rows, data=SimpleNamespace(train=np.arange(7)))
    assert round_cost(bench, [row(1, "a", 0.5), row(2, "b", 0.4)]) == 140.0


@pytest.mark.parametrize("kept", [True, False])
def test_a_winner_whose_weights_are_gone_is_not_passed_over_in_silence(tmp_path, monkeypatch, kept):
    bench = bench_of(tmp_path, Toy(), candidates=("toy", "other"))
    first, second = trial(bench, "toy", a=1.0, b=1.0), trial(bench, "other", a=1.0, b=0.5)
    monkeypatch.setattr(export, "_built", lambda settings, bench, chosen, *_: chosen)
    if not kept:
        shutil.rmtree(bench.journal.trial_folder(first.trial) / "model")
    shipped = export._in_order(SimpleNamespace(exporter="onnx"), bench, Confirmation((first, second)), [], clock_of(bench))
    assert shipped.chosen.row is (first if kept else second)
    told = (bench.journal.folder / "events.jsonl").read_text()
    assert ("the weights of trial 1, toy, are gone, and there is no time to learn them again" in told) is not kept
