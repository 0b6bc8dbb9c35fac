from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from autoft_plugins.models.transformer.batches import balanced_weights, by_length, oversampled, shuffled
from autoft_plugins.models.transformer.schedule import Horizon, Schedule


@pytest.mark.parametrize(("rows", "size"), [(1, 8), (7, 8), (100, 8), (1003, 16), (5000, 16)])
def test_shuffled_batches_hold_each_row_once(rows, size):
    lengths = np.random.default_rng(0).integers(1, 128, rows)
    batches = shuffled(lengths, size, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    assert max(len(batch) for batch in batches) <= size
    assert len(batches) == -(-rows // size)


def test_shuffled_batches_pad_little_and_differ_by_epoch_and_seed():
    lengths = np.random.default_rng(0).integers(1, 128, 1000)
    generator = np.random.default_rng(1)
    first, second = shuffled(lengths, 16, generator), shuffled(lengths, 16, generator)
    padded = sum(len(batch) * lengths[batch].max() for batch in first)
    assert padded < 1.35 * lengths.sum()
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    again = shuffled(lengths, 16, np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_batches_by_length_keep_to_the_budget():
    lengths = np.random.default_rng(0).integers(1, 128, 500)
    batches = list(by_length(lengths, 512))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(batch) * lengths[batch].max() <= 512 for batch in batches)
    assert [len(batch) for batch in by_length(np.array([900, 10]), 512)] == [1, 1]
    assert [len(batch) for batch in by_length(np.array([900] * 9), 512, least=4)] == [4, 4, 1]
    assert [len(batch) for batch in by_length(np.array([1] * 9), 512, least=4)] == [9]


def test_balanced_weights_have_mean_one():
    codes = np.array([0] * 90 + [1] * 10)
    weights = balanced_weights(codes, 3)
    assert weights[2] == 0
    assert weights[1] == pytest.approx(9 * weights[0])
    assert weights[codes].mean() == pytest.approx(1)


def test_oversampling_draws_rare_rows_more_often_and_none_less_than_once():
    codes = np.array([0] * 100 + [1] * 4)
    places = oversampled(codes, np.random.default_rng(0))
    counts = np.bincount(places, minlength=104)
    assert (counts[:100] == 1).all()
    assert counts[100:].sum() == 20
    assert (counts[100:] >= 1).all()


def test_the_schedule_warms_up_and_decays():
    schedule = Schedule(100, 0.1)
    rates = [schedule.rate(step) for step in range(101)]
    assert max(rates) == 1.0 == rates[10]
    assert 0 < rates[0] < rates[5] < 1
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[100] == 0


def test_a_shortened_schedule_keeps_its_rate_and_ends_at_zero():
    schedule = Schedule(100, 0.1)
    before = schedule.rate(30)
    schedule.end_at(30, 50)
    assert schedule.rate(30) == pytest.approx(before)
    assert schedule.rate(40) == pytest.approx(before / 2)
    assert schedule.rate(50) == 0


@pytest.mark.parametrize(("left", "total"), [(None, 100), (1000.0, 100), (53.0, None), (1.0, 30)])
def test_the_horizon_follows_the_clock(left, total):
    schedule = Schedule(100, 0.1)
    horizon = Horizon(schedule, 3, 2.5)
    for _ in range(10):
        horizon.stepped(1.0)
    assert horizon.check(10, left) is (total != 100)
    if total is None:
        assert 45 <= schedule.total <= 58
    else:
        assert schedule.total == total


def test_first_steps_that_were_slow_do_not_cost_the_rest_their_time():
    schedule = Schedule(100, 0.1)
    horizon = Horizon(schedule, 3, 2.5)
    for _ in range(5):
        horizon.stepped(2.0)
    assert horizon.check(5, 110.0)
    short, rate = schedule.total, schedule.rate(15)
    assert short < 60
    for _ in range(50):
        horizon.stepped(0.9)
    assert horizon.check(15, 90.0), "they were the exception"
    assert short < schedule.total < 100
    assert schedule.rate(15) == pytest.approx(rate), "from where it is"
    assert schedule.rate(schedule.total) == 0
    assert horizon.check(30, 1_000.0)
    assert schedule.total == 100, "and no longer than was planned"


def test_what_was_told_of_is_not_put_off():
    schedule = Schedule(100, 0.1)
    horizon = Horizon(schedule, 3, 2.5)
    for _ in range(5):
        horizon.stepped(2.0)
    horizon.check(5, 110.0)
    short = schedule.total
    horizon.paused(1.0)
    for _ in range(50):
        horizon.stepped(0.5)
    assert not horizon.check(30, 1_000.0), "a trial does not fall behind what it said"
    assert schedule.total == short


def test_long_texts_among_the_first_steps_do_not_make_the_rest_seem_slow():
    def after(works, evaluation=2.5):
        schedule = Schedule(100, 0.1)
        horizon = Horizon(schedule, 3, evaluation)
        for work in works:
            horizon.stepped(work * 1.0, work)
        horizon.check(5, 102.0)
        return schedule.total

    assert after([1.0, 3.0, 3.0, 2.0, 2.0]) == after([1.0, 1.0, 1.0, 1.0, 1.0]) == 92
    assert after([1.0] * 5, 0.0) == 99, "without rows to evaluate no pause is kept for them"
    assert after([1.0] * 5, 10.0) == 69, "a dear one takes the place of as many steps"


def test_of_many_steps_enough_are_kept_and_soon():
    schedule = Schedule(10_000, 0.1)
    horizon = Horizon(schedule, 3, 2.5)
    steps = 0
    while not horizon.check(steps, 1_000.0 - steps):
        steps += 1
        horizon.stepped(1.0)
        assert steps < 100, "a tenth of the time there is was gone"
    assert schedule.total < 1_000
    rates = [schedule.rate(step) for step in range(steps, schedule.total + 1)]
    assert rates[0] < 0.6, "the full rate comes after a few steps"
    assert max(rates) == 1.0
    assert rates[-1] == 0.0
    hurried = Horizon(Schedule(10_000, 0.1), 3, 2.5)
    for _ in range(Horizon.SOON):
        hurried.stepped(1.0)
    assert hurried.check(Horizon.SOON, 1.0)
    assert hurried.schedule.total == Horizon.ENOUGH
