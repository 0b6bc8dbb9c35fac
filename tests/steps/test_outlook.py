"""Would more time help? What the second half of the search's work added."""

from __future__ import annotations

import pytest

from autoft.interfaces.result import Outlook
from autoft.steps.outlook import look_ahead, more_time
from benches import Toy, bench_of, clock_of, trial

POOR, FAIR, GOOD = {"a": 1.0, "b": -0.9}, {"a": 1.0, "b": 0.1}, {"a": 1.0, "b": 1.0}


def searched(tmp_path, *points, seconds=(), **more):
    bench = bench_of(tmp_path, Toy(), **more)
    trial(bench, stage="baselines", a=1.0, b=-1.0)
    rows = [trial(bench, seconds=seconds[i] if seconds else 1.0, **point) for i, point in enumerate(points)]
    return bench, rows


def test_a_search_that_still_rises(tmp_path):
    bench, rows = searched(tmp_path, POOR, FAIR, POOR, GOOD)
    found = more_time(bench)
    assert found.helps == "yes"
    assert found.gain.value == pytest.approx(rows[3].value - rows[1].value)
    assert 0 < found.gain.low < found.gain.value < found.gain.high
    assert [step.trial for step in found.course] == [1, 3, 5]
    assert [step.seconds for step in found.course] == [1.0, 3.0, 5.0]
    assert found.seconds == 5.0
    assert found.untried == []


def test_a_search_that_found_nothing_better(tmp_path):
    bench, _ = searched(tmp_path, GOOD, POOR, FAIR, POOR)
    found = more_time(bench)
    assert found.helps == "no"
    assert found.gain.value == found.gain.high == 0


def test_a_little_better_may_be_chance(tmp_path):
    bench, _ = searched(tmp_path, {"a": 1.0, "b": 0.9}, POOR, POOR, GOOD, rows=80)
    found = more_time(bench)
    assert found.gain.low <= 0 < found.gain.value
    assert found.helps == "unclear"


def test_halves_are_of_the_work_not_of_the_number(tmp_path):
    bench, _ = searched(tmp_path, POOR, POOR, GOOD, POOR, seconds=(1.0, 1.0, 1.0, 10.0))
    assert more_time(bench).helps == "no"
    bench, _ = searched(tmp_path / "other", POOR, POOR, GOOD, POOR, seconds=(5.0, 1.0, 5.0, 1.0))
    assert more_time(bench).helps == "yes"


def test_too_few_trials_tell_nothing(tmp_path):
    for number, points in enumerate([(), (POOR,), (POOR, FAIR, GOOD)]):
        bench, _ = searched(tmp_path / str(number), *points)
        found = more_time(bench)
        assert (found.helps, found.gain) == ("unclear", None)
    bench, _ = searched(tmp_path / "long", POOR, GOOD, POOR, POOR, seconds=(10.0, 1.0, 1.0, 1.0))
    assert more_time(bench).gain is None


def test_candidates_that_were_not_begun(tmp_path):
    bench, _ = searched(tmp_path, POOR, candidates=("toy", "large"))
    assert more_time(bench).untried == ["large"]


def test_answers_that_are_gone(tmp_path):
    bench, _ = searched(tmp_path, POOR, FAIR, POOR, GOOD)
    (bench.journal.trial_folder(5) / "validation.npz").unlink()
    assert more_time(bench).gain is None


def test_both_as_they_stand_in_the_result(tmp_path):
    bench, rows = searched(tmp_path, POOR, FAIR, {"learns": True}, GOOD, noise=0.5)
    found = look_ahead(bench, rows[3], clock_of(bench))
    assert found.rows.candidate == "toy"
    assert Outlook.model_validate(found.model_dump(mode="json")) == found
