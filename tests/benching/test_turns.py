"""Statistics, on clocks that the tests turn."""

from __future__ import annotations

import pytest

from autoft.benching.turns import ROUNDS, Calls, in_turn, percentile, rate, spread, timed


class Clock:
    """Stands still until something takes time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def taking(self, *seconds: float):
        """What is called takes these seconds, one after the other, then the last again and again."""
        left = list(seconds)

        def call() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


class Takes:
    """A turn of one call that takes so long, and notes that it was made."""

    def __init__(self, clock: Clock, name: str, seconds: float, made: list[str]) -> None:
        self.clock, self.name, self.seconds, self.made = clock, name, seconds, made
        self.given: list[float] = []

    def turn(self, seconds: float) -> list[float]:
        self.made.append(self.name)
        self.given.append(seconds)
        self.clock.now += self.seconds
        return [self.seconds]


def test_a_call_is_repeated_until_the_time_is_up_and_made_once_at_least():
    clock = Clock()
    assert timed(clock.taking(0.25), 1.0, clock) == [0.25] * 4
    assert timed(clock.taking(0.4), 1.0, clock) == pytest.approx([0.4] * 3)
    assert timed(clock.taking(7.0), 1.0, clock) == [7.0]


def test_what_warms_up_is_not_counted():
    clock = Clock()
    call = clock.taking(0.5)
    assert Calls(call, clock.taking(30.0), clock).turn(1.0) == [0.5, 0.5]
    assert clock.now == 131.0


def test_percentiles_are_those_of_the_nearest_rank():
    ordered = [float(value) for value in range(1, 101)]
    assert [percentile(ordered, share) for share in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0], 99) == 3.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


@pytest.mark.parametrize(("calls", "p95", "p99"), [(19, None, None), (20, 19.0, None), (99, 95.0, None), (100, 95.0, 99.0)])
def test_percentiles_that_so_few_calls_cannot_tell_are_none(calls, p95, p99):
    found = spread([[number / 1000 for number in range(1, calls + 1)]])
    assert (found.n, found.p95_ms, found.p99_ms) == (calls, pytest.approx(p95) if p95 else None, pytest.approx(p99) if p99 else None)


def test_the_median_is_of_all_calls_and_its_range_that_of_the_rounds():
    found = spread([[0.001, 0.002, 0.003], [0.010], [0.004, 0.004]])
    assert found.p50_ms == pytest.approx(3.5)
    assert (found.low_ms, found.high_ms) == (pytest.approx(2.0), pytest.approx(10.0))


def test_rates_are_of_passes():
    found = rate([[2.0, 4.0], [1.0]], 8)
    assert (found.n, found.rows, found.rows_per_second, found.low, found.high) == (3, 8, 4.0, 2.0, 8.0)
    assert found.by_round == (pytest.approx(8 / 3), 8.0)


def test_every_round_has_each_once_in_an_order_of_its_own():
    clock, made = Clock(), []
    all_of_them = [Takes(clock, name, 1.0, made) for name in "abcdef"]
    found = in_turn(all_of_them, 40.0, clock=clock)
    assert [len(turns) for turns in found] == [6] * 6
    rounds = ["".join(made[start : start + 6]) for start in range(0, len(made), 6)]
    assert [sorted(one) for one in rounds] == [list("abcdef")] * 6
    assert len(set(rounds)) > 3
    assert {seconds for one in all_of_them for seconds in one.given} == {40.0 / (ROUNDS * 6)}


def test_a_machine_that_slows_down_slows_all_alike():
    clock, made = Clock(), []

    class Slowing(Takes):
        def turn(self, seconds: float) -> list[float]:
            self.seconds = clock.now / 100
            return super().turn(seconds)

    found = in_turn([Slowing(clock, name, 1.0, made) for name in "abc"], 60.0, clock=clock)
    medians = [spread(turns).p50_ms for turns in found]
    assert max(medians) / min(medians) < 1.05
    assert all(spread(turns).high_ms > 1.2 * spread(turns).low_ms for turns in found)


def test_the_first_round_is_whole_and_no_other_is_begun_that_would_not_end_in_time():
    clock, made = Clock(), []
    told: list[tuple[float, str]] = []
    found = in_turn([Takes(clock, "a", 9.0, made), Takes(clock, "b", 9.0, made)], 10.0, clock=clock, tell=lambda *said: told.append(said))
    assert [len(turns) for turns in found] == [1, 1]
    assert told == [(0.9, "round 1"), (1.0, "round 1")]
