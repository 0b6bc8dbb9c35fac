"""Many rows: the search learns from a part of them, and the best of it from all."""

from __future__ import annotations

import csv
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import autoft
from autoft.hardware import limits
from autoft.history import History, read_events
from autoft.interfaces.events import StageStarted, TrialFinished, TrialStarted
from autoft.interfaces.model import Candidate
from autoft.interfaces.problem import Metric
from autoft.journal import Journal
from autoft.leaderboard import Leaderboard
from autoft.progress import Progress
from autoft.scaffold import plugin_text
from autoft.steps import whole
from autoft.steps.clock import OVERHEAD, PART_TRIALS, Clock
from autoft.steps.confirm import confirm
from autoft.steps.outlook import more_time
from autoft.steps.parts import PART, WORTH_PART, part_to_learn
from autoft.steps.rivals import Standing, baseline, runner_up
from autoft.steps.whole import learn_from_all, part_of_search
from autoft.testing.samples import reviews
from autoft_plugins.tasks.text_classification import TextClassification
from benches import PROBLEM, Toy, bench_of, clock_of, trial

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]

GOOD, FAIR, POOR = {"a": 1.0, "b": 0.8}, {"a": 1.0, "b": 0.3}, {"a": 1.0, "b": -0.5}


def row(number, value, status="done", rows=None, stage="search"):
    return TrialFinished(
        trial=number, candidate="toy", status=status, progress=100, metrics={}, value=value, seconds=1.0, hyperparameters={}, stage=stage,
        rows=rows,
    )  # fmt: skip


# Which rows


def test_a_part_holds_each_class_in_its_share_and_the_rarest_too():
    targets = np.repeat([0, 1, 2], [60_000, 19_999, 1])
    train = np.random.default_rng(1).permutation(len(targets))[:70_000]
    train = np.union1d(train, np.flatnonzero(targets == 2))
    part = part_to_learn(PROBLEM, TextClassification(), targets, train)
    assert PART <= len(part) <= PART + 3
    assert len(np.unique(part)) == len(part)
    assert np.isin(part, train).all()
    assert (np.diff(part) > 0).all()
    share = np.bincount(targets[train]) / len(train)
    np.testing.assert_allclose(np.bincount(targets[part])[:2] / len(part), share[:2], atol=1e-3)
    assert (targets[part] == 2).sum() == 1
    np.testing.assert_array_equal(part, part_to_learn(PROBLEM, TextClassification(), targets, train))
    other = PROBLEM.model_copy(update={"seed": PROBLEM.seed + 1})
    assert not np.array_equal(part, part_to_learn(other, TextClassification(), targets, train))


def test_a_part_of_what_has_no_strata_is_drawn_by_chance():
    task = SimpleNamespace(strata=lambda problem, targets: None)
    part = part_to_learn(PROBLEM, task, np.zeros(50_000), np.arange(50_000))
    assert len(part) == PART
    assert abs(part.mean() - 25_000) < 500


def test_fewer_rows_are_learned_from_whole():
    train = np.arange(WORTH_PART)
    assert part_to_learn(PROBLEM, TextClassification(), train % 2, train[1:]) is None
    assert part_to_learn(PROBLEM, TextClassification(), train % 2, train) is not None


# What the leaderboard makes of it


def test_what_had_a_part_stands_behind_what_had_all_rows(tmp_path):
    board, progress = Leaderboard(Metric(name="accuracy")), Progress(metric=Metric(name="accuracy"))

    def add(*rows):
        for one in rows:
            board.add(one)
            progress.take(one)

    add(
        row(1, 0.5, stage="baselines"), row(2, 0.9, rows=20), row(3, 0.8, rows=20), row(4, 0.95, "stopped", rows=20), row(5, 0.4, "stopped")
    )
    assert [one.trial for one in board] == [1, 2, 3, 5, 4]
    assert [one.trial for one in board.of_part()] == [4, 2, 3]
    assert [one.trial for one in board.contenders()] == [4, 2, 3, 1, 5], "their weights are what there is"
    assert [one.number for one in progress.ranked()] == [4, 2, 3, 1, 5]
    add(row(6, 0.85, stage="all rows"))
    assert [one.trial for one in board.contenders()] == [6, 1, 5, 4, 2, 3], "by like rows trial 6 was ahead of all that had a part"
    assert [one.number for one in progress.ranked()] == [6, 1, 5, 4, 2, 3]
    assert progress.best().number == 6
    board.write(tmp_path / "board.csv")
    with (tmp_path / "board.csv").open(newline="") as file:
        assert [(one["trial"], one["rows"]) for one in csv.DictReader(file)][:4] == [("6", ""), ("1", ""), ("2", "20"), ("3", "20")]


# Whether there is time for it


@pytest.mark.parametrize(("trials", "carried"), [(PART_TRIALS + 0.5, True), (PART_TRIALS - 0.5, False)])
def test_a_search_that_carries_few_trials_of_a_part_learns_from_all_rows(trials, carried):
    clock = Clock(time.time(), 300.0, False, limits(None), 1.0, 100, 100)
    room = clock.closing([Candidate("toy")]) - time.time() - 10
    # The search has what LARGEST_SHARE leaves, since learning from all rows takes longer than the rest.
    dear = Candidate("dear", flops=0.4 * room / trials * clock.limits.flops / OVERHEAD / 0.1)
    found = clock.of_part([dear], 0.1)
    assert (found is not None) is carried
    if carried:
        assert found.share == 0.1
        assert found.side_by_side([dear], time.time() + 2 * room * clock.limits.threads) is None
        assert clock.side_by_side([dear], time.time() + 2 * room) == 1


def test_the_time_for_all_rows_is_not_spent_on_the_part():
    clock = Clock(time.time(), 300.0, False, limits(None), 1.0, 100, 100, share=0.1)
    toy = Candidate("toy")
    closing = clock.closing([toy])
    assert clock.put_off([toy], 200, 400, closing - 100) == closing - 100
    assert clock.put_off([toy], 50, 30, closing - 100) == pytest.approx(closing - 80, abs=0.5)


def test_the_pace_is_that_of_trials_of_the_same_part():
    clock = Clock(time.time(), 300.0, False, limits(None), 1.0, 100, 100, share=0.1)
    known = {"toy": Candidate("toy", flops=100 * clock.limits.flops)}
    promised = OVERHEAD * 10 * clock.limits.threads
    told = [row(1, 0.5, rows=20).model_copy(update={"seconds": 2 * promised}), row(2, 0.5, stage="all rows")]
    assert clock.at_pace(told, known, clock.limits.threads).pace == pytest.approx(2.0)


def parted(tmp_path, *points, **more):
    """A run of which trials with these settings learned from 20 of 200 rows."""
    bench = bench_of(tmp_path, Toy(), noise=0.3, **more)
    bench = replace(bench, part=bench.data.train[:20])
    rows = []
    for point in points:
        learned = trial(replace(bench, data=bench.learned(row(0, 0.0, rows=20))), **point)
        rows.append(learned.model_copy(update={"rows": 20}))
        bench.journal.emit(TrialStarted(trial=learned.trial, candidate="toy", hyperparameters=point))
        bench.journal.emit(rows[-1])
    return bench, rows


def test_a_resumed_search_keeps_to_what_its_trials_did(tmp_path, monkeypatch):
    monkeypatch.setattr("autoft.steps.parts.PART", 20)
    monkeypatch.setattr("autoft.steps.parts.WORTH_PART", 30)
    bench = bench_of(tmp_path, Toy())
    choice, clock = SimpleNamespace(tried=tuple(bench.candidates.values())), clock_of(bench)
    given = (bench.understood, bench.data, choice)
    part, timed = part_of_search(*given, clock, bench.journal)
    assert 20 <= len(part) <= 21
    assert timed.share == len(part) / 200
    assert f"{len(part)} of the 200 training rows" in (bench.journal.folder / "events.jsonl").read_text()
    trial(bench, **GOOD)
    assert part_of_search(*given, clock, bench.journal) == (None, clock), "it learned from all"
    bench.journal.emit(row(2, 0.5, rows=20))
    short = replace(clock, budget=0.0, started=time.time())
    again, timed = part_of_search(*given, short, bench.journal)
    assert (list(again), timed.share) == (list(part), len(part) / 200)
    assert part_of_search(bench.understood, replace(bench.data, folds=((part, part),)), choice, clock, bench.journal)[0] is None


# Learning from all rows


def test_the_best_two_learn_from_all_rows_and_are_trials(tmp_path):
    bench, _ = parted(tmp_path, FAIR, POOR, GOOD)
    learn_from_all(bench, bench.journal.leaderboard.of_part(), clock_of(bench))
    told = [one for one in bench.journal.leaderboard if one.stage == "all rows"]
    assert [(one.trial, one.hyperparameters, one.rows, one.status) for one in told] == [(4, GOOD, None, "done"), (5, FAIR, None, "done")]
    assert [len(fit.train) for fit in bench.catalog.model("toy").fits] == [20, 20, 20, 200, 200]
    assert [one.trial for one in bench.journal.leaderboard.contenders()][:2] == [4, 5]
    assert bench.kept(told[0])
    learn_from_all(bench, bench.journal.leaderboard.of_part(), clock_of(bench))
    assert len(bench.journal.leaderboard) == 5, "what has learned does not learn again"


def test_within_limits_the_best_of_each_candidate_learns_from_all_rows(tmp_path):
    bench, (best, second, third, other) = parted(tmp_path, GOOD, GOOD, FAIR, POOR, candidates=("toy", "other"))
    other = other.model_copy(update={"candidate": "other"})
    learn_from_all(bench, [best, second, third, other], clock_of(bench), each=True)
    told = [one for one in bench.journal.leaderboard if one.stage == "all rows"]
    assert [(one.candidate, one.hyperparameters) for one in told] == [("toy", GOOD), ("other", POOR)], "the second is the first again"


def test_without_the_time_for_twice_the_rows_nothing_is_begun(tmp_path):
    bench, _ = parted(tmp_path, FAIR, GOOD)
    ranked = bench.journal.leaderboard.of_part()
    dear = [one.model_copy(update={"seconds": 20.0}) for one in ranked]  # 200 s for all rows
    learn_from_all(bench, dear, clock_of(bench, 40.0))
    assert len(bench.journal.leaderboard) == 2
    assert "too little time for trial 2" in (bench.journal.folder / "events.jsonl").read_text()
    learn_from_all(bench, dear, clock_of(bench, 90.0))
    assert [one.trial for one in bench.journal.leaderboard if one.stage == "all rows"] == [3], "the second only where all of it fits"


def test_nothing_is_begun_once_the_user_wants_to_end_or_where_trials_had_all_rows(tmp_path):
    bench, rows = parted(tmp_path, GOOD)
    learn_from_all(bench, [], clock_of(bench))
    bench.journal.stop("enough")
    learn_from_all(bench, rows, clock_of(bench))
    assert len(bench.journal.leaderboard) == 1
    assert "all rows" not in (bench.journal.folder / "events.jsonl").read_text()


def test_what_was_cut_off_keeps_its_number(tmp_path, monkeypatch):
    bench, _ = parted(tmp_path, FAIR, POOR, GOOD)
    here, begun = whole.trial_here, []

    def cut(spec, *args, **more):
        begun.append(spec.number)
        if spec.number == 4:
            return here(spec, *args, **more)
        bench.journal.emit(TrialStarted(trial=5, candidate="toy", hyperparameters=spec.hyperparameters, stage="all rows"))
        raise KeyboardInterrupt

    monkeypatch.setattr(whole, "trial_here", cut)
    with pytest.raises(KeyboardInterrupt):
        learn_from_all(bench, bench.journal.leaderboard.of_part(), clock_of(bench))
    monkeypatch.setattr(whole, "trial_here", here)
    past = History(bench.journal.folder, {"run_id": "run"}, tuple(read_events(bench.journal.folder / "events.jsonl")))
    journal = Journal(bench.journal.folder, PROBLEM.metric, [], past=past)
    journal._open = {5: past.trials[5].start}
    resumed = replace(bench, journal=journal)
    assert begun == [4, 5]
    assert past.trials[5].end is None
    learn_from_all(resumed, journal.leaderboard.of_part(), clock_of(bench))
    told = {one.trial: (one.hyperparameters, one.status) for one in journal.leaderboard if one.stage == "all rows"}
    assert told == {4: (GOOD, "done"), 5: (FAIR, "done")}


# What is decided afterwards


def test_costs_follow_from_the_rows_of_a_trial(tmp_path):
    bench, (part,) = parted(tmp_path, GOOD)
    assert bench.cost(part, 200) == pytest.approx(1.0 + 10 * part.seconds)
    assert bench.cost(row(9, 0.5), 200) == pytest.approx(2.0)
    shared = replace(bench, threads=2, concurrency=2)
    assert shared.cost(part, 200) == pytest.approx(1.0 + 10 * part.seconds / 1.52, rel=0.01), "two threads where it had one"
    assert bench.again(part.model_copy(update={"seconds": 50.0})) == 3.0
    assert bench.again(row(9, 0.5).model_copy(update={"seconds": 50.0})) == 50.0, "the quick one had a part"


def test_only_what_had_the_same_rows_is_confirmed(tmp_path):
    bench, parts = parted(tmp_path, GOOD, FAIR)
    whole_row = trial(bench, stage="all rows", **GOOD)
    alone = confirm(bench, [whole_row, *parts], None, refit_seconds=0.0)
    assert (alone.folds, alone.order) == (0, (whole_row, *parts))
    second = trial(bench, stage="all rows", **FAIR)
    both = confirm(bench, [whole_row, *parts, second], None, refit_seconds=0.0)
    assert set(both.figures) == {whole_row.trial, second.trial}
    assert sorted(one.trial for one in both.order) == [1, 2, 3, 4]


def test_rivals_and_baseline_learned_from_the_rows_of_the_winner(tmp_path):
    bench, parts = parted(tmp_path, GOOD, FAIR, candidates=("toy", "other"))
    first = trial(bench, "other", stage="baselines", learns=1)
    decided = np.zeros(100, np.int64)
    one = Standing(parts[0], decided, refitted=False)
    assert runner_up(bench, one, {first.trial}, clock_of(bench)).row.trial == 2
    fits = bench.catalog.model("toy").fits
    baseline(bench, bench.candidates["other"], one)
    assert len(fits[-1].train) == 20
    best = trial(bench, stage="all rows", **GOOD)
    assert runner_up(bench, Standing(best, decided, refitted=False), {first.trial}, clock_of(bench)) is None
    before = len(fits)
    baseline(bench, bench.candidates["other"], Standing(best, decided, refitted=False))
    assert len(fits) == before, "its own weights are of the same rows"
    shutil.rmtree(bench.journal.trial_folder(2) / "model", ignore_errors=True)
    found = runner_up(bench, one, {first.trial}, clock_of(bench))
    assert (found.rows, len(fits[-1].train)) == ("test", 20), "it learns again from what it learned from"


def test_more_time_is_told_from_trials_of_a_part_alone(tmp_path):
    bench, _ = parted(tmp_path, POOR, POOR, GOOD, FAIR, GOOD)
    before = more_time(bench)
    trial(bench, stage="all rows", a=1.0, b=1.0)
    assert more_time(bench) == before
    assert before.seconds == 5.0


# A whole run


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoft.steps.parts.PART", 100)
    monkeypatch.setattr("autoft.steps.parts.WORTH_PART", 150)


def board(folder: Path) -> list[dict[str, str]]:
    with (folder / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in one.items() if name != "seconds"} for one in csv.DictReader(file)]


@pytest.mark.usefixtures("few")
def test_a_run_learns_from_a_part_then_from_all_and_goes_on_where_it_was_cut_off(
    autoft_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (autoft_project.folder / "mine.py").write_text(plugin_text("model", "mine", "mine"))
    chosen = {"models": ["mine", "linear"], "trials": 5, "table": reviews(500)}
    run = autoft_project.run(autoft_project.folder / "mine.py", **chosen)
    rows = {one.trial: one for one in run.leaderboard}
    part = rows[2].rows
    assert 100 <= part <= 101
    assert [(number, one.stage, one.rows) for number, one in sorted(rows.items())] == [
        (1, "baselines", None),
        *((number, "search", part) for number in range(2, 7)),
        (7, "all rows", None),
        (8, "all rows", None),
    ]
    assert rows[3].candidate == "linear"
    assert rows[3].hyperparameters == rows[1].hyperparameters, "the baseline had other rows"
    assert [one.rows for one in run.leaderboard] == [None] * 3 + [part] * 5
    assert run.result["best"]["rows"] is None
    assert run.result["best"]["trial"] in (1, 7, 8)
    assert run.result["refit"] is True
    stages = [event.stage for event in read_events(run.folder / "events.jsonl") if isinstance(event, StageStarted)]
    assert stages.index("search") < stages.index("all rows") < stages.index("confirmation")
    assert f"{part} of the 325 training rows" in (run.folder / "events.jsonl").read_text()
    assert f"of {part} rows" in (run.folder / "report.html").read_text(encoding="utf-8")

    here = whole.trial_here

    def cut(spec, *args, **more):
        if spec.number == 8:
            raise KeyboardInterrupt
        return here(spec, *args, **more)

    monkeypatch.setattr(whole, "trial_here", cut)
    with pytest.raises(KeyboardInterrupt):
        autoft_project.run(autoft_project.folder / "mine.py", **chosen)
    monkeypatch.setattr(whole, "trial_here", here)
    again = autoft.resume(autoft_project.folder / "run-2")
    assert board(again.folder) == board(run.folder)
    assert again.result["best"] == run.result["best"]
