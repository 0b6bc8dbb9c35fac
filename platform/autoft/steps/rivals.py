"""What the winner is held against once it is chosen: the baseline and the runner-up."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows
from autoft.errors import AutoftError, TrialError
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate, Fitted
from autoft.interfaces.result import RunnerUp
from autoft.interfaces.task import Decoder
from autoft.steps.bundle import decoder_for
from autoft.steps.clock import REST, Clock
from autoft.steps.confirm import Bench
from autoft.steps.judge import Judgement, judge
from autoft.steps.stored import stored_decisions
from autoft.trial import trial_seed

AGAIN = 10.0
"""Seconds in which weights that are no longer on disk may be learned again."""

Decisions = npt.NDArray[Any]


@dataclass(frozen=True)
class Standing:
    """The winner as it is exported: the row of its trial, its decisions on the test rows, whether it was refitted, and the trials whose
    weights it is the mean of, if it is one."""

    row: TrialFinished
    decisions: Decisions
    refitted: bool
    averaged: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rivalry:
    """The runner-up's row, and how the winner stands against it on test or validation `rows`; None where that was not measured."""

    row: TrialFinished
    rows: Literal["test", "validation"] | None = None
    judgement: Judgement | None = None

    def as_result(self) -> RunnerUp:
        interval = self.judgement.as_json("runner_up") if self.judgement else None
        row = self.row
        return RunnerUp.model_validate(
            {"candidate": row.candidate, "trial": row.trial, "validation": row.metrics, "rows": self.rows, "interval": interval}
        )


def baseline(bench: Bench, candidate: Candidate | None, winner: Standing) -> tuple[TrialFinished | None, Decisions]:
    """The baseline's row and its decisions on the test rows, after learning from the same rows as the winner did."""
    understood = bench.understood
    learned = understood.learnable if winner.refitted else bench.learned(winner.row).train
    first = next((row for row in bench.journal.leaderboard if candidate and row.stage == "baselines" and row.value is not None), None)
    if first is None:
        constant = understood.task.constant(understood.problem, understood.targets[learned], len(understood.splits.test))
        return None, understood.task.decide(understood.problem, Decoder(), constant)
    if winner.row.trial == first.trial:
        return first, winner.decisions
    if bench.kept(first) and (bench.data.folds or len(learned) == len(understood.splits.train)):
        return first, _by_own_weights(bench, first)
    data = replace(bench.data, train=learned, validation=np.empty(0, dtype=np.int64), folds=())
    outcome = bench.run(first, data, "baseline", trial_seed(understood.problem.seed, first.trial), None, stoppable=False)
    if outcome.fitted is not None:
        return first, _on_test(bench, first, outcome.fitted)
    bench.journal.say(
        f"the baseline could not be fitted again ({outcome.reason}); it stays as it learned from the training rows", "warning"
    )
    return first, _by_own_weights(bench, first)


def runner_up(bench: Bench, winner: Standing, apart: Collection[int], clock: Clock) -> Rivalry | None:
    """The best trial of another candidate, or where there is none the next best trial, against the winner; `apart` are trials that are no
    rivals: the baseline's. None where there is no such trial.

    Both as they learned from the same training rows, so that a refit of one is no lead; on the test rows where the time allows it and the
    weights are on disk, or are learned again in seconds. Nothing is chosen by it.
    """
    row = _second(bench, winner, apart)
    if row is None:
        return None
    return _tested(bench, winner, row, clock) or _validated(bench, winner, row) or Rivalry(row)


def _second(bench: Bench, winner: Standing, apart: Collection[int]) -> TrialFinished | None:
    no_rivals, board = {winner.row.trial, *winner.averaged, *apart}, bench.journal.leaderboard
    # The same once more, whatever its number, is no other model.
    same = [(row.candidate, row.hyperparameters) for row in (winner.row, *board) if row.trial in no_rivals]
    alike = [row for row in board.contenders() if row.rows == winner.row.rows]
    rows = [row for row in alike if row.trial not in no_rivals and (row.candidate, row.hyperparameters) not in same]
    others = [row for row in rows if row.candidate != winner.row.candidate]
    return next(iter(others or rows), None)


def _tested(bench: Bench, winner: Standing, row: TrialFinished, clock: Clock) -> Rivalry | None:
    """None where weights or time are lacking, or a trial was stopped before it learned from what the other did."""
    # A trial that was cross-validated learns from all rows last: its own weights are those of the refit.
    own = not winner.refitted or bool(bench.data.folds)
    asked = [row] if own else [row, winner.row]
    if bench.journal.stopping or (bench.data.folds and any(one.status != "done" for one in (row, winner.row))):
        return None
    left, price = clock.left(), sum(_price(bench, one, clock) for one in asked)
    if price == float("inf") or (left is not None and price + REST > left):
        return None
    try:
        ours, theirs = winner.decisions if own else _by_own_weights(bench, winner.row), _by_own_weights(bench, row)
    except AutoftError as error:
        bench.journal.say(f"the runner-up was not asked about the test rows: {error.message}", "warning")
        return None
    return Rivalry(row, "test", _judged(bench, bench.understood.splits.test, ours, theirs))


def _price(bench: Bench, row: TrialFinished, clock: Clock) -> float:
    """Seconds until a trial has answered the test rows; infinite where its weights are gone and do not come again in seconds."""
    asking = clock.asking(bench.candidates[row.candidate], len(bench.understood.splits.test))
    if bench.kept(row):
        return asking
    again = bench.again(row)
    return asking + again if again <= AGAIN and row.status == "done" else float("inf")


def _validated(bench: Bench, winner: Standing, row: TrialFinished) -> Rivalry | None:
    """By what both trials answered for the validation rows; None where their folders do not tell."""
    first = next((one for one in bench.journal.leaderboard if one.trial == winner.row.trial), winner.row)
    ours, theirs = stored_decisions(bench, first), stored_decisions(bench, row)
    if ours is None or theirs is None:
        return None
    return Rivalry(row, "validation", _judged(bench, bench.data.validation, ours, theirs))


def _judged(bench: Bench, rows: Rows, ours: Decisions, theirs: Decisions) -> Judgement:
    understood = bench.understood
    return judge(understood.task, understood.problem, understood.targets[rows], ours, theirs, understood.problem.seed)


def _by_own_weights(bench: Bench, row: TrialFinished) -> Decisions:
    """The decisions of a trial's own weights on the test rows; weights that are gone are learned again from the same rows. Raises
    TrialError when that comes to nothing."""
    if bench.kept(row):
        return _on_test(bench, row, bench.load(row))
    data = replace(bench.learned(row), validation=np.empty(0, dtype=np.int64), folds=())
    outcome = bench.run(row, data, "runner-up", trial_seed(bench.understood.problem.seed, row.trial), None)
    if outcome.fitted is None:
        raise TrialError(outcome.reason)
    return _on_test(bench, row, outcome.fitted)


def _on_test(bench: Bench, row: TrialFinished, fitted: Fitted) -> Decisions:
    understood, started = bench.understood, time.process_time()
    decoder = decoder_for(fitted, understood, bench.journal.trial_folder(row.trial) / "validation.npz")
    outputs = fitted.outputs(understood.rows.take(understood.splits.test))
    bench.journal.busy_seconds += time.process_time() - started
    return understood.task.decide(understood.problem, decoder, outputs)
