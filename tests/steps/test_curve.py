"""Would more rows help? What a cheap candidate learns from parts of them, and curves drawn on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoft.interfaces.events import EVENTS, Remark
from autoft.interfaces.problem import Metric
from autoft.steps.curve import estimated, more_rows, quarters
from benches import Toy, bench_of, clock_of, trial

ACCURACY, DISTANCE = Metric(name="accuracy"), Metric(name="mae", greater_is_better=False)


def law(errors, *, metric=ACCURACY, noise=0.0, sizes=(100, 200, 400)):
    """The estimate for errors after a quarter, half and all of the rows."""
    values = np.repeat(errors, [4, 2, 1])
    samples = values + noise * np.random.default_rng(0).normal(size=(400, 7))
    turn = (lambda figures: 1 - figures) if metric.greater_is_better else (lambda figures: figures)
    return estimated(metric, "linear", sizes, turn(values), turn(samples), 0)


def test_two_curves_are_drawn_on():
    power = law([0.4, 0.3, 0.225])
    # a power law goes on to 0.225 * 0.75, a straight line over the logarithm to 0.225 - 0.0875
    assert power.gain.value == pytest.approx((0.05625 + 0.0875) / 2)
    assert (power.gain.low, power.gain.high) == pytest.approx((0.05625, 0.0875))
    assert power.twice.figure.value == pytest.approx(1 - 0.225 + power.gain.value)
    assert [size.rows for size in (*power.sizes, power.twice)] == [100, 200, 400, 800]
    assert [size.figure.value for size in power.sizes] == pytest.approx([0.6, 0.7, 0.775])
    assert (power.helps, power.candidate) == ("yes", "linear")


def test_less_is_better_for_some_metrics():
    one, other = law([4.0, 3.0, 2.25], metric=DISTANCE), law([0.4, 0.3, 0.225])
    assert one.gain.value == pytest.approx(10 * other.gain.value)
    assert one.twice.figure.value == pytest.approx(2.25 - one.gain.value)
    assert one.twice.figure.low < one.twice.figure.value < one.twice.figure.high
    assert one.helps == "yes"


def test_what_it_says():
    assert law([0.2, 0.2, 0.2]).helps == "no"
    assert law([0.2, 0.21, 0.22]).gain.value == 0
    assert law([0.2, 0.2, 0.2], noise=0.0005).helps == "no"
    assert law([0.4, 0.3, 0.225], noise=0.005).helps == "yes"
    assert law([0.24, 0.23, 0.22], noise=0.03).helps == "unclear"
    assert law([np.nan, 0.3, 0.2]) is None
    assert law([-3.0, -3.5, -4.0]) is None  # figures above 1: no telling what is left to gain


def test_nothing_is_gained_beyond_what_is_wrong():
    assert law([0.5, 0.25, 0.01]).twice.figure.high <= 1


def test_quarters_are_equal_and_keep_groups_together():
    strata = np.repeat([0, 1, 2], [40, 20, 3])
    quarter = quarters(strata, None, 63, 5)
    assert sorted(np.bincount(quarter)) == [15, 16, 16, 16]
    for stratum in (0, 1):
        assert np.ptp(np.bincount(quarter[strata == stratum])) <= 1
    assert not np.array_equal(quarter, quarters(strata, None, 63, 6))
    groups = np.repeat(np.arange(16), 4)
    grouped = quarters(None, groups, 64, 5)
    assert all(len(set(grouped[groups == group])) == 1 for group in range(16))
    assert np.bincount(grouped).tolist() == [16, 16, 16, 16]


def learned(tmp_path, **more):
    bench = bench_of(tmp_path, Toy(), rows=400, noise=0.5, **more)
    return bench, trial(bench, learns=True, seconds=0.1)


def test_each_part_is_learned_from_and_all_are_judged_on_the_same_rows(tmp_path):
    bench, row = learned(tmp_path)
    model = bench.catalog.model("toy")
    found = more_rows(bench, row, clock_of(bench))
    parts = [data.train for data in model.fits[1:]]
    assert [len(part) for part in parts] == [50] * 4 + [100] * 2
    for some in (parts[:4], parts[4:]):
        assert np.array_equal(np.sort(np.concatenate(some)), bench.data.train)
    assert set(parts[4]) == set(parts[0]) | set(parts[1])
    assert all(np.array_equal(data.validation, bench.data.validation) for data in model.fits)
    assert [size.rows for size in found.sizes] == [50, 100, 200]
    assert found.sizes[-1].figure.value == pytest.approx(row.value)
    assert found.candidate == "toy"
    assert found == more_rows(bench, row, clock_of(bench))


def test_rows_that_are_cross_validated(tmp_path):
    bench, row = learned(tmp_path, folds=True)
    model = bench.catalog.model("toy")
    before = len(model.fits)
    found = more_rows(bench, row, clock_of(bench))
    fits = model.fits[before:]
    assert len(fits) == 2 * 6
    assert all(not set(data.train) & set(data.validation) for data in fits)
    assert [size.rows for size in found.sizes] == [25, 50, 100]
    assert found.sizes[-1].figure.value == pytest.approx(row.value)


def test_the_nearest_candidate_that_can_be_paid_is_asked(tmp_path):
    bench = bench_of(tmp_path, Toy(), noise=0.5, candidates=("toy", "other"))
    winner = trial(bench, "other", seconds=1000.0, learns=True)
    trial(bench, "toy", seconds=0.1, a=-1.0, b=0.5)
    cheap = trial(bench, "toy", seconds=0.1, a=1.0, b=0.5)
    found = more_rows(bench, winner, clock_of(bench))
    assert found.candidate == "toy"
    assert found.sizes[-1].figure.value == pytest.approx(cheap.value)


def test_what_the_first_trial_computed_for_all_is_not_paid_again(tmp_path):
    bench = bench_of(tmp_path, Toy(), noise=0.5)
    first = trial(bench, seconds=1000.0, learns=True)
    assert more_rows(bench, first, clock_of(bench)) is None
    trial(bench, seconds=0.2, a=-1.0, b=0.5)
    assert bench.again(first) == pytest.approx(0.6)
    assert more_rows(bench, first, clock_of(bench)).sizes[-1].figure.value == pytest.approx(first.value)


@pytest.mark.parametrize("why", ["dear", "few rows", "stopped", "no time", "unfinished"])
def test_where_it_is_not_told(tmp_path, why):
    bench = bench_of(tmp_path, Toy(), rows=70 if why == "few rows" else 400)
    row = trial(bench, learns=True, seconds=1000.0 if why == "dear" else 0.1, status="stopped" if why == "unfinished" else "done")
    if why == "stopped":
        bench.journal.stop("by hand")
    assert more_rows(bench, row, clock_of(bench, *([100.0] if why == "no time" else []), spent=98.0)) is None
    assert len(bench.catalog.model("toy").fits) == 1


def test_a_model_that_raises_is_said(tmp_path, monkeypatch):
    bench, row = learned(tmp_path)
    monkeypatch.setattr(Toy, "_learned", lambda self, data: data.unknown)
    assert more_rows(bench, row, clock_of(bench)) is None
    lines = (bench.journal.folder / "events.jsonl").read_text().splitlines()
    said = [event.text for event in map(EVENTS.validate_json, lines) if isinstance(event, Remark)]
    assert "toy was not fitted to fewer rows: AttributeError" in said[-1]


def test_a_row_without_answers_is_passed_over(tmp_path):
    bench, row = learned(tmp_path)
    (bench.journal.trial_folder(1) / "validation.npz").unlink()
    assert more_rows(bench, row, clock_of(bench)) is None
    assert more_rows(replace(bench, data=replace(bench.data, validation=bench.data.validation[::-1])), row, clock_of(bench)) is None
