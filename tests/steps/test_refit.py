"""The winner learns again from all rows that are not test, in the time there is."""

from __future__ import annotations

import time

import pytest

from autoft.interfaces.model import HORIZON
from autoft.steps.clock import LEAST_REFIT
from autoft.steps.confirm import SHORTEST_REFIT, refit, refit_cost
from benches import Toy, bench_of, trial


class Shortened(Toy):
    """Makes `share` of its steps and says so half-way, as models do whose schedule does not fit into the time."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.left: list[float | None] = []

    def fit(self, spec, data, report):
        fitted = super().fit(spec, data, lambda *_: "go")
        self.left.append(report.seconds_left())
        outputs = fitted.outputs(data.rows.take(data.validation))
        for progress in (0.5, 1.0):
            if report(progress, outputs, fitted.save, **{HORIZON: self.share}) == "stop":
                break
        return fitted


@pytest.mark.parametrize(("share", "kept"), [(1.0, True), (SHORTEST_REFIT + 0.01, True), (SHORTEST_REFIT - 0.01, False)])
def test_a_refit_may_be_shortened_but_not_by_much(tmp_path, share, kept):
    bench = bench_of(tmp_path, Shortened(share))
    row = trial(bench, learns=True, a=0.0, b=0.0, seconds=10.0)
    assert (refit(bench, row, time.time() + 100) is not None) is kept
    told = (bench.journal.folder / "events.jsonl").read_text()
    assert ("the refit was not finished (there is too little time)" in told) is not kept


def test_it_knows_how_long_it_may_take(tmp_path):
    model = Shortened(1.0)
    bench = bench_of(tmp_path, model)
    refit(bench, trial(bench, learns=True, seconds=10.0), time.time() + 100)
    assert model.left[0] is None, "the trial itself had no deadline"
    assert model.left[1] == pytest.approx(100, abs=5)


def test_it_begins_where_most_of_it_fits(tmp_path):
    bench = bench_of(tmp_path, Shortened(1.0))
    row = trial(bench, learns=True, seconds=100.0)
    cost = refit_cost(bench, row)
    assert cost > 100, "there are more rows than the trial learned from"
    assert refit(bench, row, time.time() + (LEAST_REFIT - 0.05) * cost) is None
    assert refit(bench, row, time.time() + (LEAST_REFIT + 0.05) * cost) is not None


def test_what_the_trial_left_in_the_cache_is_not_paid_again(tmp_path):
    bench = bench_of(tmp_path, Toy())
    row = trial(bench, a=1.0, b=1.0, seconds=94.0).model_copy(update={"shared_seconds": 93.0})
    assert refit_cost(bench, row) < 3
    assert bench.again(row) == 1.0
