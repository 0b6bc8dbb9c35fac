"""Splits by a column of groups and by time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoft.data.splits import Splits, connected, split_by_time, split_groups

SHARES = (0.65, 0.2, 0.15)


def parts(made: Splits) -> list[np.ndarray]:
    return [made.train, made.validation, made.test]


def each_row_once(made: Splits, n: int) -> bool:
    return np.array_equal(np.sort(np.concatenate(parts(made))), np.arange(n)) and all((np.diff(part) > 0).all() for part in parts(made))


def stay_together(made: Splits, codes: np.ndarray) -> bool:
    of = [set(codes[part].tolist()) for part in parts(made)]
    return len(of[0] | of[1] | of[2]) == sum(map(len, of))


def off(made: Splits, n: int) -> float:
    return max(abs(len(part) - share * n) for part, share in zip(parts(made), SHARES, strict=True))


def components(*codings: list[int]) -> list[int]:
    """By a plain search, for comparison."""
    n = len(codings[0])
    found = [-1] * n
    for start in range(n):
        if found[start] >= 0:
            continue
        found[start], waiting = max(found) + 1, [start]
        while waiting:
            row = waiting.pop()
            for other in range(n):
                if found[other] < 0 and any(codes[other] == codes[row] for codes in codings):
                    found[other] = found[start]
                    waiting.append(other)
    return found


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30)), max_size=30))
def test_connected_groups(rows):
    codings = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    assert connected(*(np.array(codes, dtype=np.int64) for codes in codings)).tolist() == components(*codings)


def test_a_long_chain_is_one_group():
    n = 50_000
    place = np.random.default_rng(0).permutation(n)
    assert connected(place // 2, (place + 1) // 2).max() == 0


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20), st.integers(0, 25)), min_size=1, max_size=120), st.integers(0, 9))
def test_groups_and_duplicates_stay_together(rows, seed):
    strata, users, texts = (np.array(column) for column in zip(*rows, strict=True))
    groups = connected(users, texts)
    made = split_groups(strata, groups, seed)
    assert each_row_once(made, len(rows))
    assert stay_together(made, users)
    assert stay_together(made, texts)
    assert set(strata[made.train].tolist()) == set(strata.tolist()), "each stratum is in train"
    again = split_groups(strata, groups, seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts(made), parts(again), strict=True))


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=60), st.integers(0, 9))
def test_groups_give_sizes_near_the_shares(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    made = split_groups(None, groups, seed)
    assert all(map(len, parts(made)))
    assert off(made, len(groups)) <= max(sizes)


def test_groups_hold_the_strata_in_near_equal_shares():
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(300), rng.integers(1, 20, 300))
    strata = (users + (rng.random(len(users)) < 0.3) * rng.integers(0, 4, len(users))) % 4
    made = split_groups(strata, users, seed=1)
    assert off(made, len(users)) <= 0.01 * len(users)
    whole = np.bincount(strata) / len(strata)
    for part in parts(made):
        assert np.abs(np.bincount(strata[part], minlength=4) / len(part) - whole).max() < 0.04


def test_one_group_of_most_rows_is_learned_from():
    groups = np.concatenate([np.zeros(700), np.arange(1, 301)])
    made = split_groups(None, groups, seed=5)
    assert set(range(700)) <= set(made.train.tolist())
    assert off(made, 1000) <= 51


def test_groups_without_a_test_part():
    made = split_groups(None, np.arange(100) // 5, seed=1, test=0.0, validation=0.25)
    assert [len(part) for part in parts(made)] == [75, 25, 0]


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=120))
def test_time_goes_forward(rows):
    times, texts = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    made = split_by_time(times, texts)
    assert each_row_once(made, len(rows))
    assert stay_together(made, texts)
    first = {text: times[texts == text].min() for text in set(texts.tolist())}
    own = np.array([first[text] for text in texts.tolist()])
    order = [own[part] for part in parts(made) if len(part)]
    assert all(earlier.max() < later.min() for earlier, later in itertools.pairwise(order)), "ties stay together"
    moments = len(set(own.tolist()))
    assert [len(part) > 0 for part in parts(made)] == [True, moments > 2, moments > 1]
    if moments > 2:
        passed = np.cumsum(np.unique(own, return_counts=True)[1][::-1])
        tested, held = len(made.test), len(made.test) + len(made.validation)
        assert abs(tested - 0.15 * len(rows)) == pytest.approx(np.abs(passed[:-2] - 0.15 * len(rows)).min())
        later = passed[:-1][passed[:-1] > tested]
        assert abs(held - 0.35 * len(rows)) == pytest.approx(np.abs(later - 0.35 * len(rows)).min())


def test_time_without_ties_gives_the_shares():
    times = np.random.default_rng(0).permutation(1000).astype(float)
    made = split_by_time(times, None)
    assert [len(part) for part in parts(made)] == [650, 200, 150]
    assert times[made.train].max() == 649
    assert times[made.test].min() == 850
    made = split_by_time(times, None, test=0.0)
    assert [len(part) for part in parts(made)] == [800, 200, 0]


def test_a_copy_of_an_earlier_row_goes_with_it():
    times = np.arange(100.0)
    texts = np.arange(100)
    texts[99] = texts[3]
    made = split_by_time(times, texts)
    assert 99 in made.train
    assert made.test.max() == 98


def test_impossible_shares():
    for make in (lambda **k: split_by_time(np.arange(9.0), None, **k), lambda **k: split_groups(None, np.arange(9), 0, **k)):
        with pytest.raises(ValueError, match="nothing to learn from"):
            make(test=0.5, validation=0.5)


def test_groups_and_times_are_saved(tmp_path):
    made = Splits(np.arange(2), np.array([2]), np.array([3]), groups=np.array([0, 0, 1, 2]), times=np.array([1.0, 2.0, 3.0, np.nan]))
    made.save(tmp_path / "splits.npz")
    read = Splits.load(tmp_path / "splits.npz")
    assert np.array_equal(read.groups, made.groups)
    assert np.array_equal(read.times, made.times, equal_nan=True)
    Splits(np.arange(2), np.array([2]), np.array([3])).save(tmp_path / "plain.npz")
    assert Splits.load(tmp_path / "plain.npz").groups is None
