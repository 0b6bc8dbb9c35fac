"""What the winner is held against: the baseline and the runner-up, on rows that neither learned from."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.result import RunnerUp
from autoft.steps.rivals import Standing, baseline, runner_up
from autoft.steps.stored import stored_decisions
from benches import Toy, Weighed, bench_of, clock_of, trial

POOR, FAIR, GOOD = {"a": 1.0, "b": -0.9}, {"a": 1.0, "b": 0.1}, {"a": 1.0, "b": 1.0}


def decided(bench, point):
    """The decisions on the test rows of a model with these weights."""
    rows = bench.data.rows.take(bench.understood.splits.test)
    return Weighed(list(point.values())).outputs(rows)["logits"].argmax(1)


def right(bench, point):
    return float((decided(bench, point) == bench.data.targets[bench.understood.splits.test]).mean())


def raced(tmp_path, *points, candidates=("toy", "other"), names=None, **more):
    """The first is the winner; each is of the candidate `names` gives it."""
    bench = bench_of(tmp_path, Toy(), candidates=candidates, **more)
    rows = [trial(bench, (names or ["toy", "other"])[place % 2], **point) for place, point in enumerate(points)]
    return bench, rows


def test_the_best_of_another_candidate_comes_before_the_second_of_the_same(tmp_path):
    bench, rows = raced(tmp_path, GOOD, POOR, {"a": 1.0, "b": 0.8}, FAIR)
    winner = Standing(rows[0], decided(bench, GOOD), refitted=False)
    assert runner_up(bench, winner, (), clock_of(bench)).row.trial == 4
    assert runner_up(bench, winner, {4}, clock_of(bench)).row.trial == 2
    assert runner_up(bench, winner, {2, 4}, clock_of(bench)).row.trial == 3
    assert runner_up(bench, replace(winner, averaged=(1, 3)), {2, 4}, clock_of(bench)) is None


def test_the_same_once_more_is_no_rival(tmp_path):
    """Neither of the winner nor of the baseline, which the tuner tried again."""
    bench, rows = raced(tmp_path, GOOD, FAIR, GOOD, FAIR, names=["toy", "toy"])
    winner = Standing(rows[0], decided(bench, GOOD), refitted=False)
    assert runner_up(bench, winner, (), clock_of(bench)).row.trial == 2
    assert runner_up(bench, winner, {2}, clock_of(bench)) is None


def test_on_the_test_rows(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    found = runner_up(bench, Standing(rows[0], decided(bench, GOOD), refitted=False), (), clock_of(bench))
    assert found.rows == "test"
    assert found.judgement.winner.value == pytest.approx(right(bench, GOOD))
    assert found.judgement.other.value == pytest.approx(right(bench, FAIR))
    assert found.judgement.better
    told = RunnerUp.model_validate(found.as_result().model_dump(mode="json"))
    assert (told.candidate, told.trial, told.rows) == ("other", 2, "test")
    assert set(told.interval) == {"winner", "runner_up", "lead"}


def test_after_a_refit_both_stand_as_the_search_left_them(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    refitted = Standing(rows[0], decided(bench, {"a": -1.0, "b": -1.0}), refitted=True)
    found = runner_up(bench, refitted, (), clock_of(bench))
    assert found.rows == "test"
    assert found.judgement.winner.value == pytest.approx(right(bench, GOOD))
    assert bench.catalog.model("toy").asked == 2


def test_weights_that_are_gone_are_learned_again_where_that_takes_seconds(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    shutil.rmtree(bench.journal.trial_folder(2) / "model")
    model, winner = bench.catalog.model("toy"), Standing(rows[0], decided(bench, GOOD), refitted=False)
    found = runner_up(bench, winner, (), clock_of(bench))
    assert (found.rows, model.asked, len(model.fits)) == ("test", 0, 3)
    assert np.array_equal(model.fits[-1].train, bench.data.train)
    assert found.judgement.other.value == pytest.approx(right(bench, FAIR))
    assert not (bench.journal.trial_folder(2) / "model").exists()


@pytest.mark.parametrize("changes", [{"seconds": 1000.0}, {"status": "stopped"}])
def test_else_the_validation_rows_tell(tmp_path, changes):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    shutil.rmtree(bench.journal.trial_folder(2) / "model")
    bench.journal.emit(rows[1].model_copy(update=changes))
    found = runner_up(bench, Standing(rows[0], decided(bench, GOOD), refitted=False), (), clock_of(bench))
    assert found.rows == "validation"
    assert found.judgement.lead.value == pytest.approx(rows[0].value - rows[1].value)
    assert len(bench.catalog.model("toy").fits) == 2


@pytest.mark.parametrize("why", ["stopped", "no time"])
def test_without_time_too(tmp_path, why):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    if why == "stopped":
        bench.journal.stop("by hand")
    clock = clock_of(bench, 100.0, spent=97.0 if why == "no time" else 0.0)
    assert runner_up(bench, Standing(rows[0], decided(bench, GOOD), refitted=False), (), clock).rows == "validation"


def test_weights_that_cannot_be_read_are_said_and_the_validation_rows_tell(tmp_path, monkeypatch):
    from autoft.errors import TrialError

    def refuse(self, folder):
        raise TrialError("unreadable")

    bench, rows = raced(tmp_path, GOOD, FAIR)
    monkeypatch.setattr(Toy, "load", refuse)
    assert runner_up(bench, Standing(rows[0], decided(bench, GOOD), refitted=False), (), clock_of(bench)).rows == "validation"
    assert "unreadable" in (bench.journal.folder / "events.jsonl").read_text()


def test_without_anything_it_is_not_measured(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR)
    shutil.rmtree(bench.journal.trial_folder(2))
    bench.journal.emit(rows[1].model_copy(update={"status": "stopped"}))
    found = runner_up(bench, Standing(rows[0], decided(bench, GOOD), refitted=False), (), clock_of(bench))
    assert (found.rows, found.judgement) == (None, None)
    assert found.as_result().interval is None


def test_cross_validated_trials_stand_by_their_own_weights_once_they_ended(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR, folds=True)
    winner = Standing(rows[0], decided(bench, GOOD), refitted=True)
    found = runner_up(bench, winner, (), clock_of(bench))
    assert (found.rows, bench.catalog.model("toy").asked) == ("test", 1)
    bench.journal.emit(rows[1].model_copy(update={"status": "stopped"}))
    assert runner_up(bench, winner, (), clock_of(bench)).rows == "validation"


def test_a_trials_stored_decisions_are_those_it_was_scored_by(tmp_path):
    bench, rows = raced(tmp_path, GOOD, FAIR, noise=0.5)
    for row in rows:
        stored = stored_decisions(bench, row)
        assert (stored == bench.data.targets[bench.data.validation]).mean() == pytest.approx(row.value)
    assert stored_decisions(bench, rows[0].model_copy(update={"value": 0.123})) is None
    assert stored_decisions(bench, rows[0].model_copy(update={"value": None})) is None


def test_decisions_that_need_the_weights_are_not_told_from_the_folder(tmp_path, monkeypatch):
    """As those of a CRF: its transitions are no outputs."""
    bench = bench_of(tmp_path, Toy())
    task = bench.understood.task
    decide = task.decide

    def shifted(problem, decoder, outputs: Arrays):
        return decide(problem, decoder, {"logits": outputs["logits"] * decoder.arrays.get("turn", 1.0)})

    monkeypatch.setattr(task, "decide", shifted)
    fit = Toy.fit

    def with_extra(self, spec, data, report):
        return fit(self, spec, data, lambda progress, outputs, save: report(progress, outputs, save, extra={"turn": np.array(-1.0)}))

    monkeypatch.setattr(Toy, "fit", with_extra)
    row = trial(bench, **FAIR)
    assert stored_decisions(bench, row) is None


def test_the_baseline_learns_from_what_the_winner_learned_from(tmp_path):
    bench = bench_of(tmp_path, Toy(), candidates=("toy", "other"))
    first = trial(bench, "other", stage="baselines", learns=True)
    winner = trial(bench, "toy", **GOOD)
    model, candidate = bench.catalog.model("toy"), bench.candidates["other"]
    row, held = baseline(bench, candidate, Standing(winner, decided(bench, GOOD), refitted=False))
    assert (row.trial, model.asked, len(model.fits)) == (first.trial, 1, 2)
    assert len(held) == len(bench.understood.splits.test)
    baseline(bench, candidate, Standing(winner, decided(bench, GOOD), refitted=True))
    assert np.array_equal(model.fits[-1].train, bench.understood.learnable)
    itself = decided(bench, POOR)
    assert baseline(bench, candidate, Standing(first, itself, refitted=True))[1] is itself
    none, constant = baseline(bench, None, Standing(winner, itself, refitted=True))
    assert none is None
    assert len(set(constant.tolist())) == 1
