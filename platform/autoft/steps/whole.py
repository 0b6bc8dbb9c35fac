"""Many rows: the search learns from a part of them, and the best of it from all (successive halving with rows as the resource)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from autoft.data.table import Rows
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import FitData, TrialSpec
from autoft.journal import Journal
from autoft.leaderboard import ALL_ROWS
from autoft.steps.choose import Choice
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench
from autoft.steps.here import trial_here
from autoft.steps.parts import part_to_learn
from autoft.steps.search import LEFT
from autoft.steps.understand import Understood
from autoft.trial import trial_seed

BEST = 2
"""Trials of the search whose settings learn from all rows, as many as are confirmed."""

LEAST = 2.0
"""Times the rows of the part that the first of them has to have time for: fewer would teach it little more."""


def part_of_search(understood: Understood, data: FitData, choice: Choice, clock: Clock, journal: Journal) -> tuple[Rows | None, Clock]:
    """The training rows that the trials of the search learn from, and the time for it; None where these are all. A resumed run keeps to
    what its trials did."""
    part = None if data.folds else part_to_learn(understood.problem, understood.task, data.targets, data.train)
    if part is None:
        return None, clock
    share, before = len(part) / len(data.train), [row for row in journal.leaderboard if row.stage == "search"]
    if before:
        parted = any(row.rows is not None for row in before)
        return (part, replace(clock, share=share)) if parted else (None, clock)
    timed = clock.of_part(choice.tried, share)
    if timed is None:
        return None, clock
    rows = f"a fixed part of {len(part):,} of the {len(data.train):,} training rows"
    journal.say(f"trials learn from {rows}; the best {BEST} then learn from all of them")
    return part, timed


def learn_from_all(bench: Bench, ranked: Sequence[TrialFinished], clock: Clock, *, each: bool = False) -> None:
    """The settings of the best of `ranked`, which learned from a part of the rows, learn from all of them: trials like any other. The first
    may shorten its schedule to the time there is; the second is begun where all of it fits, and with `each` the best of each candidate
    behind it: within limits any of them may be what is served."""
    journal, total = bench.journal, len(bench.data.train)
    if not ranked or journal.stopping:
        return
    journal.stage(ALL_ROWS)
    for place, row in enumerate(ranked):
        first = each and row.candidate not in {one.candidate for one in ranked[:place]}
        if _has_learned(bench, row) or not (place < BEST or first):
            continue
        closing = clock.closing([bench.candidates[row.candidate]])
        needed = total if place else min(total, round(LEAST * (row.rows or total)))
        if closing is not None and time.time() + bench.cost(row, needed) > closing:
            journal.say(f"there is too little time for trial {row.trial}, {row.candidate}, to learn from all rows")
            continue
        candidate, number = bench.candidates[row.candidate], _number(bench, row)
        seed = trial_seed(bench.understood.problem.seed, number)
        spec = TrialSpec(number, candidate, row.hyperparameters, seed, bench.threads, min(1, bench.gpus))
        model, task = bench.catalog.model(candidate.model), bench.understood.task
        trial_here(spec, bench.data, model, task, journal, ALL_ROWS, closing, verbose=bench.verbose)
        if journal.stopping:
            break
    journal.end_left_over(LEFT)


def _has_learned(bench: Bench, row: TrialFinished) -> bool:
    """In a session before; what was cut off there learns again."""
    ended = [one for one in bench.journal.leaderboard if one.stage == ALL_ROWS and one.status in ("done", "failed")]
    return any(one.candidate == row.candidate and one.hyperparameters == row.hyperparameters for one in ended)


def _number(bench: Bench, row: TrialFinished) -> int:
    """That under which the trial was begun in a session before, or the next."""
    past = bench.journal.past
    for number, trial in (past.trials if past else {}).items():
        begun = trial.start
        if begun.stage == ALL_ROWS and (begun.candidate, begun.hyperparameters) == (row.candidate, row.hyperparameters):
            return number
    return 1 + max(one.trial for one in bench.journal.leaderboard)
