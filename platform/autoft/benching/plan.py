"""What is measured: one row at a time by length and threads; many rows by length, batch, sessions and threads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from autoft.benching.figures import Latency, Throughput
from autoft.benching.questions import sample, tokens
from autoft.benching.turns import ROUNDS, Calls, Clock, rate, spread
from autoft.data.names import counted
from autoft.data.table import Table
from autoft.runtime.advice import Setting
from autoft.runtime.predictor import CHUNK, Predictor

BATCHES, BATCHES_WITHOUT_LENGTH = (1, 4, 8, 16, 32), (1, 8, 32, 256)
FEW = 16
"""Rows that are asked one by one, in turn."""
_SHORTEST, _STEP = 8, 4
_SLOWEST_ROW, _SLOWEST_PASS = 1 / 20, 1 / 15
"""The share of the time there is that one row, and a pass over many, may take."""
_CELLS = 25
"""About how many things share a round."""
_PROBES, _FAR = 3, 4
_LONGER = 2
"""How many times as long a turn of lone rows is: their percentiles take many calls."""


def pairs(cores: int) -> tuple[tuple[int, int], ...]:
    """(sessions, threads) that use all of so many processors: one session with all threads, or one of a thread for each. Between these,
    sessions would share the threads of their one graph, and leave processors idle."""
    return tuple(dict.fromkeys([(1, cores), (cores, 1)]))


def lengths(longest: int | None) -> tuple[int, ...]:
    """8, 32, 128 and so on below the encoder's length, and that; none where rows have no length."""
    if longest is None:
        return ()
    below = itertools.takewhile(lambda length: length < longest, (_SHORTEST * _STEP**k for k in itertools.count()))
    return (*below, longest)


@dataclass(frozen=True)
class Lone:
    """One row after the other, with so many threads."""

    length: int | None
    threads: int
    calls: Calls

    def turn(self, seconds: float) -> list[float]:
        return self.calls.turn(_LONGER * seconds)

    def figures(self, turns: Sequence[Sequence[float]]) -> Latency:
        return Latency(length=self.length, threads=self.threads, **spread(turns).model_dump())


@dataclass(frozen=True)
class Many:
    """The same rows again and again, with a setting."""

    length: int | None
    setting: Setting
    rows: int
    tokens: int | None
    calls: Calls

    def turn(self, seconds: float) -> list[float]:
        return self.calls.turn(seconds)

    def figures(self, turns: Sequence[Sequence[float]]) -> Throughput:
        found = rate(turns, self.rows)
        each = None if self.tokens is None else found.rows_per_second * self.tokens / self.rows
        return Throughput(length=self.length, tokens_per_second=each, **self.setting.model_dump(), **found.model_dump())


@dataclass(frozen=True)
class Plan:
    """What is measured in turn. Of the rows as they are, `few_rows` are asked one by one and `many_rows` at a time; `left_out` says what is
    not measured, and why."""

    lone: tuple[Lone, ...]
    many: tuple[Many, ...]
    few_rows: Table
    many_rows: Table
    left_out: tuple[str, ...]


def plan(opened: Mapping[int, Predictor], rows: Table, seconds: float, clock: Clock = time.perf_counter) -> Plan:
    """For predictors by their number of threads, those of `pairs`, and about so many `seconds` in all.

    How long a row takes is looked at first: what would take too long is left out.
    """
    cores = max(opened)
    encoding, few = opened[cores].encoding, sample(rows, FEW)
    taken, left_out = _taken(opened[cores], few, seconds, clock)
    batches = sorted({*(BATCHES if encoding.max_length is not None else BATCHES_WITHOUT_LENGTH), opened[cores].batch})
    lone: list[Lone] = []
    many: list[Many] = []
    many_rows = sample(rows, _rows_of_pass(taken[None], cores, max(batches), seconds))
    for length, one in taken.items():
        asked = few if length is None else encoding.resized(few, length)
        lone += [Lone(length, threads, _one_by_one(opened[threads], asked)) for threads in sorted(opened)]
        if length is not None:
            batches = [opened[cores].batch]
        asked = many_rows if length is None else encoding.resized(sample(rows, _rows_of_pass(one, cores, batches[0], seconds)), length)
        known = tokens(encoding, asked)
        for (sessions, threads), batch in itertools.product(pairs(cores), batches):
            setting = Setting(sessions=sessions, threads=threads, batch=batch)
            if sessions * batch > len(asked):
                left_out.append(_too_few(setting, length, len(asked)))
            else:
                many.append(Many(length, setting, len(asked), known, _all_of(opened[threads], setting, asked)))
    return Plan(tuple(lone), tuple(many), few, many_rows, tuple(left_out))


def _taken(predictor: Predictor, few: Table, seconds: float, clock: Clock) -> tuple[dict[int | None, float], list[str]]:
    """Seconds of a row by its length, as far as one has the time; and what is left out."""
    slow = seconds * _SLOWEST_ROW
    taken: dict[int | None, float] = {None: _probe(predictor, few, slow, clock)}
    for length in lengths(predictor.encoding.max_length):
        taken[length] = _probe(predictor, predictor.encoding.resized(few, length), slow, clock)
        if taken[length] > slow and len(taken) > 2:
            return taken, [f"{length} tokens and more: a row takes {taken.pop(length):.1f} s, too long for --seconds {seconds:g}"]
    return taken, []


def _too_few(setting: Setting, length: int | None, rows: int) -> str:
    of = "" if length is None else f" of {length} tokens"
    what = f"{counted(setting.sessions, 'session')} with {counted(setting.batch, 'row')}{of} a batch"
    return f"{what}: --seconds is enough for passes of {counted(rows, 'row')}"


def _probe(predictor: Predictor, rows: Table, slow: float, clock: Clock) -> float:
    """Seconds of one row; the first, which sets things up, is left out unless it alone takes far longer than `slow`."""
    times: list[float] = []
    for number in range(_PROBES + 1):
        row = rows.take([number % len(rows)])
        before = clock()
        predictor.answers(row)
        times.append(clock() - before)
        if times[0] > _FAR * slow:
            return times[0]
    return max(median(times[1:]), 1e-9)


def _rows_of_pass(one: float, sessions: int, batch: int, seconds: float) -> int:
    """As many as fill a turn, and each session's largest batch, as far as a pass does not take too long; a multiple of the sessions."""
    wanted = max(sessions * batch, int(seconds / (ROUNDS * _CELLS) / one))
    most = max(1, int(seconds * _SLOWEST_PASS / one))
    return sessions * max(1, min(wanted, most, max(CHUNK, sessions)) // sessions)


def _one_by_one(predictor: Predictor, rows: Table) -> Calls:
    one = itertools.cycle([rows.take([row]) for row in range(len(rows))])

    def call() -> object:
        return predictor.answers(next(one))

    return Calls(call, call)


def _all_of(predictor: Predictor, setting: Setting, rows: Table) -> Calls:
    shared = predictor.sharing(at_once=setting.sessions, batch=setting.batch)
    first = rows.take(range(min(len(rows), setting.sessions)))
    return Calls(_asking(shared, rows), _asking(shared, first))


def _asking(predictor: Predictor, rows: Table) -> Callable[[], object]:
    return lambda: predictor.answers(rows)
