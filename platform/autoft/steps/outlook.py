"""Would more time or more rows help? Told from what the run has paid for, and a few fits that take seconds."""

from __future__ import annotations

from collections.abc import Sequence

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.result import Estimate, Helps, MoreTime, Outlook, Step
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench
from autoft.steps.curve import more_rows
from autoft.steps.judge import judge
from autoft.steps.stored import stored_decisions

FEWEST = 4
"""Trials of a search from which its halves tell anything."""


def look_ahead(bench: Bench, winner: TrialFinished, clock: Clock) -> Outlook:
    """Nothing is chosen by it."""
    return Outlook(time=more_time(bench), rows=more_rows(bench, winner, clock))


def more_time(bench: Bench) -> MoreTime:
    """What the second half of the search's work, in seconds of trials, added to the best figure on the validation rows, with its interval
    by paired bootstrap of the best trial against the best of the first half.

    The best of many flatters by what chance gave it, so that an interval above zero says "may help" and no more.
    """
    # What more rows added was not the time: trials of a part are held against one another alone.
    board = bench.journal.leaderboard
    rows = sorted(board.of_part() or board.usable(), key=lambda row: (row.time, row.trial))
    begun = {row.candidate for row in bench.journal.leaderboard}
    early, gain = _first_half(rows), None
    if early:
        gain = _gain(bench, _best(bench, rows), _best(bench, early))
    return MoreTime(
        helps=_helps(gain),
        gain=gain,
        course=_course(bench, rows),
        seconds=sum(row.seconds for row in rows),
        untried=sorted(name for name in bench.candidates if name not in begun),
    )


def _course(bench: Bench, rows: Sequence[TrialFinished]) -> list[Step]:
    found: list[Step] = []
    metric, worked = bench.understood.problem.metric, 0.0
    for row in rows:
        worked += row.seconds
        if row.value is not None and row.value == row.value and (not found or metric.key(row.value) > metric.key(found[-1].value)):
            found.append(Step(seconds=worked, trial=row.trial, value=row.value))
    return found


def _first_half(rows: Sequence[TrialFinished]) -> list[TrialFinished]:
    """The baseline, and the trials that ended within half of the search's work; none where these are too few to tell anything."""
    search = [row for row in rows if row.stage != "baselines"]
    half, worked, found = sum(row.seconds for row in search) / 2, 0.0, []
    for row in search:
        worked += row.seconds
        if worked <= half:
            found.append(row)
    return [*(row for row in rows if row.stage == "baselines"), *found] if found and len(search) >= FEWEST else []


def _best(bench: Bench, rows: Sequence[TrialFinished]) -> TrialFinished:
    metric = bench.understood.problem.metric
    return max(rows, key=lambda row: (float("-inf") if row.value is None else metric.key(row.value), -row.trial))


def _gain(bench: Bench, late: TrialFinished, early: TrialFinished) -> Estimate | None:
    if late.trial == early.trial:
        return Estimate(value=0.0, low=0.0, high=0.0)
    ours, theirs = stored_decisions(bench, late), stored_decisions(bench, early)
    if ours is None or theirs is None:
        return None
    understood, validation = bench.understood, bench.data.validation
    lead = judge(understood.task, understood.problem, understood.targets[validation], ours, theirs, understood.problem.seed).lead
    return Estimate(value=lead.value, low=lead.low, high=lead.high) if lead.value == lead.value else None


def _helps(gain: Estimate | None) -> Helps:
    if gain is None or gain.low <= 0 < gain.value:
        return "unclear"
    return "yes" if gain.low > 0 else "no"
