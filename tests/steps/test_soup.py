"""The mean of the weights of one candidate's best trials, where it is better than each of them."""

from __future__ import annotations

import pytest

from autoft.interfaces.events import EVENTS, Remark, StageStarted
from autoft.steps.soup import average_best
from benches import Averaging, Toy, bench_of, clock_of, trial


def said(bench) -> str:
    lines = (bench.journal.folder / "events.jsonl").read_text().splitlines()
    return " ".join(event.text for event in map(EVENTS.validate_json, lines) if isinstance(event, Remark))


def stages(bench) -> list[str]:
    lines = (bench.journal.folder / "events.jsonl").read_text().splitlines()
    return [event.stage for event in map(EVENTS.validate_json, lines) if isinstance(event, StageStarted)]


def test_a_mean_that_is_better_than_each_is_taken(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    rows = [trial(bench, a=1.0, b=0.3), trial(bench, a=0.2, b=1.0)]
    best = max(rows, key=lambda row: row.value)
    soup = average_best(bench, best, clock_of(bench))
    assert set(soup.trials) == {1, 2}
    assert soup.trials[0] == soup.row.trial == best.trial
    assert soup.row.hyperparameters == best.hyperparameters
    assert soup.row.value == soup.row.metrics["accuracy"] > best.value
    assert soup.fitted.weights == pytest.approx([0.6, 0.65])
    validation, task = bench.data.validation, bench.understood.task
    decided = task.decide(bench.data.problem, soup.decoder, soup.fitted.outputs(bench.data.rows.take(validation)))
    assert (decided == bench.data.targets[validation]).mean() == pytest.approx(soup.row.value)
    assert "the mean of the weights of trials" in said(bench)
    assert stages(bench) == ["averaging"]


def test_a_trial_that_makes_the_mean_worse_stays_out(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    best, second, third = trial(bench, a=1.0, b=0.5), trial(bench, a=-0.4, b=1.0), trial(bench, a=0.5, b=1.0)
    assert best.value > second.value
    soup = average_best(bench, best, clock_of(bench))
    assert set(soup.trials) == {best.trial, third.trial}


def test_no_mean_is_better(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    best, other = trial(bench, a=1.0, b=1.0), trial(bench, a=-0.5, b=1.0)
    assert best.value > other.value
    assert average_best(bench, best, clock_of(bench)) is None
    assert f"better on the validation rows than trial {best.trial} alone" in said(bench)


def test_a_mean_that_is_only_as_good_does_not_count(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    best = trial(bench, a=1.0, b=0.5)
    trial(bench, a=2.0, b=1.0)
    assert average_best(bench, best, clock_of(bench)) is None


def test_the_confirmed_winner_has_to_be_in_it(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    one, two, winner = trial(bench, a=1.0, b=0.5), trial(bench, a=0.5, b=1.0), trial(bench, a=-1.0, b=0.9)
    assert winner.value < min(one.value, two.value)
    assert average_best(bench, winner, clock_of(bench)) is None
    assert average_best(bench, one, clock_of(bench)) is not None


@pytest.mark.parametrize("way", ["no average", "one trial", "no weights", "cross-validated", "stopped"])
def test_where_nothing_can_be_averaged(tmp_path, way):
    bench = bench_of(tmp_path, Toy() if way == "no average" else Averaging(), folds=way == "cross-validated")
    best = trial(bench, a=1.0, b=0.3)
    if way != "one trial":
        trial(bench, a=0.2, b=1.0)
    if way == "no weights":
        (bench.journal.trial_folder(2) / "model" / "weights.npy").unlink()
        (bench.journal.trial_folder(2) / "model").rmdir()
    if way == "stopped":
        bench.journal.stop("by hand")
    assert average_best(bench, best, clock_of(bench)) is None
    assert stages(bench) == []


def test_other_candidates_are_not_averaged(tmp_path):
    bench = bench_of(tmp_path, Averaging(), candidates=("toy:a", "toy:b"))
    best = trial(bench, "toy:a", a=1.0, b=0.3)
    trial(bench, "toy:b", a=0.2, b=1.0)
    assert average_best(bench, best, clock_of(bench)) is None


def test_weights_without_a_mean_and_a_model_that_raises(tmp_path, monkeypatch):
    bench = bench_of(tmp_path, Averaging())
    best = trial(bench, a=1.0, b=0.3)
    trial(bench, a=9.0, b=9.0)
    assert average_best(bench, best, clock_of(bench)) is None
    monkeypatch.setattr(Averaging, "average", lambda self, folders: folders[5])
    assert average_best(bench, best, clock_of(bench)) is None
    assert "have no mean: IndexError" in said(bench)


def test_the_budget_bounds_it(tmp_path):
    bench = bench_of(tmp_path, Averaging())
    best = trial(bench, a=1.0, b=0.3)
    trial(bench, a=0.2, b=1.0)
    assert average_best(bench, best, clock_of(bench, 100.0, spent=96.0)) is None
    assert "the time does not carry" in said(bench)
    assert average_best(bench, best, clock_of(bench, 1000.0)) is not None


def test_it_takes_the_place_of_a_refit_that_does_not_fit(tmp_path):
    from autoft.workflow import _confirm

    bench = bench_of(tmp_path, Averaging())
    rows = [trial(bench, a=1.0, b=0.3, seconds=500.0), trial(bench, a=0.2, b=1.0, seconds=500.0)]
    ranked = bench.journal.leaderboard.contenders()
    _, chosen = _confirm(bench, ranked, clock_of(bench, 60.0))
    assert (chosen.refitted, set(chosen.averaged)) == (False, {1, 2})
    assert chosen.row.value > max(row.value for row in rows)
    assert chosen.decoder is not None
    _, chosen = _confirm(bench, ranked, clock_of(bench))
    assert (chosen.refitted, chosen.averaged, chosen.decoder) == (True, (), None)
    assert chosen.row.trial in (1, 2)
