"""Measures several things in turn: each has a short while in every round, so that a machine that drifts favours none."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol, TypeAlias

from autoft.benching.figures import Rate, Spread

ROUNDS = 8
"""A turn is as long as so many rounds of all take the time there is; what warms up, and what takes longer, leaves time for fewer."""
FEWEST = {95: 20, 99: 100}
"""Calls that a percentile takes to say more than the slowest of them."""

Clock: TypeAlias = Callable[[], float]
Tell: TypeAlias = Callable[[float, str], None]
"""Hears how much is done, 0 to 1, and what is being done."""


class Turn(Protocol):
    """What is measured."""

    def turn(self, seconds: float) -> list[float]:
        """The seconds of each of one or more calls, made for about so many `seconds`."""
        ...


@dataclass(frozen=True)
class Calls:
    """Calls `warm` once, uncounted, then `call` again and again."""

    call: Callable[[], object]
    warm: Callable[[], object]
    clock: Clock = time.perf_counter

    def turn(self, seconds: float) -> list[float]:
        self.warm()
        return timed(self.call, seconds, self.clock)


def timed(call: Callable[[], object], seconds: float, clock: Clock = time.perf_counter) -> list[float]:
    """The seconds of each call, as many as begin within `seconds`, at least one."""
    begun = before = clock()
    times: list[float] = []
    while not times or before - begun < seconds:
        call()
        after = clock()
        times.append(after - before)
        before = after
    return times


def in_turn(
    measured: Sequence[Turn], seconds: float, *, clock: Clock = time.perf_counter, tell: Tell = lambda *_: None
) -> list[list[list[float]]]:
    """For each of `measured` its turns, one a round, each a list of seconds a call.

    The first round is whole, however long it takes; another is begun while it is likely to end within `seconds`.
    """
    found: list[list[list[float]]] = [[] for _ in measured]
    begun, longest, number = clock(), 0.0, 0
    while not number or clock() - begun + longest <= seconds:
        started = clock()
        order = list(range(len(measured)))
        random.Random(number).shuffle(order)
        for place in order:
            found[place].append(measured[place].turn(seconds / (ROUNDS * len(measured))))
            tell(min(1.0, (clock() - begun) / seconds), f"round {number + 1}")
        longest = max(longest, clock() - started)
        number += 1
    return found


def spread(turns: Sequence[Sequence[float]]) -> Spread:
    """Of all calls of all turns."""
    calls = sorted(1000 * seconds for turn in turns for seconds in turn)
    middles = [1000 * median(turn) for turn in turns]
    tails = {share: percentile(calls, share) if len(calls) >= fewest else None for share, fewest in FEWEST.items()}
    return Spread(n=len(calls), p50_ms=median(calls), p95_ms=tails[95], p99_ms=tails[99], low_ms=min(middles), high_ms=max(middles))


def percentile(ordered: Sequence[float], share: int) -> float:
    """The smallest of `ordered`, which ascend, that is at least as large as `share` percent of them."""
    return ordered[max(1, math.ceil(share * len(ordered) / 100)) - 1]


def rate(turns: Sequence[Sequence[float]], rows: int) -> Rate:
    """Of passes over `rows` rows."""
    passes = sorted(seconds for turn in turns for seconds in turn)
    by_round = tuple(rows / median(turn) for turn in turns)
    middle, slowest, fastest = rows / median(passes), rows / passes[-1], rows / passes[0]
    return Rate(n=len(passes), rows=rows, rows_per_second=middle, low=slowest, high=fastest, by_round=by_round)
