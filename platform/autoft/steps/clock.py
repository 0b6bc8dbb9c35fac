"""The deadlines of a run, and how its time is shared out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from autoft.hardware import matmul_flops
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.exporter import Approximates, Exporter
from autoft.interfaces.model import Candidate, Limits
from autoft.proof import MOST_ROWS
from autoft.settings import Settings
from autoft.steps.understand import Understood

DEFAULT_BUDGET = 600.0
"""Seconds, where neither --budget nor --trials is given; such a run ends earlier once nothing more is to be gained."""
CONFIRMATION_SHARE = 0.3
"""The part of the time kept for confirming and refitting, at least."""
LARGEST_SHARE = 0.6
"""The same, at most."""
LEAST_REFIT = 0.75
"""The share of its steps with which a refit is begun: it learns from more rows than the trial did, in about as many steps."""
ROUNDS = 2
"""Of confirmation, for which a search that could go on ends."""
START = 10.0
"""Seconds until the first trial runs."""
OVERHEAD = 1.25
"""What a trial takes over its training steps: evaluation, loading, saving."""
BASELINE = 1 / 3
"""The most of the time that is left which the baseline takes."""
LONG = 0.7
"""A trial that would take more than this part of the search with one core gets all cores."""
ANSWERS = 0.3
"""The most of a budget that is kept for answering validation and test rows."""
TELLING = 20
"""Percent of itself after which a trial tells how long it takes."""
PROMISED = 10.0
"""Seconds that such a trial should take, at least: short ones are mostly overhead."""
SLOWEST = 6.0
"""The most that the machine is taken to be slower than it seemed."""
ROUNDED = 3
"""Exports of a format that rounds: full precision, itself, and both of other weights in about the time of one."""
STUDYING = 0.35
"""The most of a budget that is kept for a smaller model to learn from the winner."""
PART_TRIALS = 4
"""Trials on a part of the rows that a search must have time for; with less time its trials learn from all rows, shortened."""
LARGE = 110e6
"""Parameters of a base-size source."""
LOADING = 4.0
"""Seconds in which the weights of a base-size source are read, twice where they are averaged."""


@dataclass(frozen=True)
class Clock:
    """The deadlines of a run, on `time.time()`. Without a budget they are None and no choice depends on the clock."""

    started: float
    budget: float | None
    plateau: bool
    limits: Limits
    refit: float  # what learning from all rows costs, in trials
    validation: int
    test: int
    pace: float = 1.0  # how many times longer things take than the machine's speed had promised
    exports: int = 1  # graphs that are written and proved
    share: float = 1.0  # of the training rows that the trials of the search learn from
    behind: float = 0.0  # seconds that come between refit and export: a smaller model learns from the winner

    @classmethod
    def of(cls, settings: Settings, started: float, limits: Limits, understood: Understood) -> Clock:
        splits = understood.splits
        budget = budget_of(settings)
        plateau = settings.budget is None and budget is not None
        # A trial that is cross-validated has learned from all rows at its end.
        refit = 0.0 if splits.folds is not None else len(understood.learnable) / max(1, len(splits.train))
        return cls(started, budget, plateau, limits, refit, len(understood.validated), len(splits.test))

    def with_format(self, exporter: Exporter, *, several: bool) -> Clock:
        """The same for a bundle in this format, or for the choice of one of `several`."""
        return replace(self, exports=ROUNDED if several or isinstance(exporter, Approximates) else 1)

    def with_pupil(self, candidates: Sequence[Candidate]) -> Clock:
        """The same for a run whose winner teaches one of these, at the cost of the dearest: its trial, and its refit."""
        if self.budget is None or not self.limits.flops:
            return self
        dearest = max((candidate.flops for candidate in candidates), default=0.0)
        return replace(self, behind=min(STUDYING * self.budget, OVERHEAD * dearest / self.limits.flops * (1 + self.refit)))

    def at_pace(self, trials: Iterable[TrialFinished], candidates: Mapping[str, Candidate], slots: int) -> Clock:
        """The same for a machine as slow as the trials of the dearest candidate among `trials` were, with `slots` of them side by side: its
        speed was measured in a moment, and others may use it by now. Nothing is taken to be quicker than it seemed."""
        if self.limits.gpus:
            return self
        alike = [row for row in trials if row.candidate in candidates and (row.rows is None) == (self.share == 1)]
        told = [(self.share * candidates[row.candidate].flops, row) for row in alike if row.progress >= TELLING]
        dearest = max((flops for flops, _ in told), default=0.0)
        if not dearest or not self.limits.flops:
            return self
        share = max(1, self.limits.threads // max(1, slots)) / max(1, self.limits.threads)
        promised = OVERHEAD * dearest / (self.limits.flops * share)
        if promised < PROMISED:
            return self
        taken = median(row.seconds * 100 / row.progress for flops, row in told if flops == dearest)
        return replace(self, pace=min(SLOWEST, max(1.0, taken / promised)))

    def baseline(self) -> float | None:
        """When the baseline must end."""
        return None if self.budget is None else time.time() + BASELINE * (self.started + self.budget - time.time())

    def closing_seconds(self, candidate: Candidate) -> float:
        """What export, proof, test evaluation and report take: a start, the size of the graph, and the rows that are asked about.

        A machine that is busy while its speed is measured seems ten times slower than it is: the rows get `ANSWERS` of a budget at most.
        """
        size = self.exports * 26.0 * (candidate.source.parameters if candidate.source else 0) / LARGE
        answers = self.pace * _answers(candidate, 2 * self.exports * min(self.validation, MOST_ROWS) + self.test)
        return self.pace * (6.0 + size) + (answers if self.budget is None else min(answers, ANSWERS * self.budget))

    def asking(self, candidate: Candidate, rows: int) -> float:
        """Seconds in which saved weights are loaded and asked about `rows` rows."""
        size = LOADING * (candidate.source.parameters if candidate.source else 0) / LARGE
        return self.pace * (1.0 + size + _answers(candidate, rows))

    def left(self) -> float | None:
        """Seconds of the budget; None without one."""
        return None if self.budget is None else self.started + self.budget - time.time()

    def closing(self, candidates: Sequence[Candidate]) -> float | None:
        """When export, proof, test and report must begin, or before them what is `behind`."""
        return None if self.budget is None else self.started + self.budget - max(map(self.closing_seconds, candidates)) - self.behind

    def searching(self, candidates: Sequence[Candidate]) -> float | None:
        """When the search must end. Each candidate's first trial comes before all; then the refit of the largest; then the share."""
        closing = self.closing(candidates)
        if closing is None:
            return None
        room = max(0.0, closing - time.time() - START)
        each = [OVERHEAD * candidate.flops / self.limits.flops for candidate in candidates]
        refit = max(each) * self.refit
        spare = max(0.0, room - sum(each))
        kept = CONFIRMATION_SHARE * room
        if self.share < 1:  # what is kept is for learning from all rows, which shortens to the time there is
            return closing - max(kept, min(refit, LARGEST_SHARE * room))
        kept = max(kept, min(refit, spare, LARGEST_SHARE * room)) if spare >= LEAST_REFIT * refit else min(kept, spare)
        return closing - kept

    def of_part(self, candidates: Sequence[Candidate], share: float) -> Clock | None:
        """The same for a search whose trials learn from this share of the training rows; None where the time is too short for it."""
        clock = replace(self, share=share)
        ends = clock.searching(candidates)
        one = OVERHEAD * share * max(candidate.flops for candidate in candidates) / self.limits.flops
        return clock if ends is None or time.time() + PART_TRIALS * one <= ends else None

    def proving(self) -> float | None:
        """Seconds after which the proof begins no further rows, so that the test rows still fit into the budget; None without one.

        A row of the proof is answered twice, by the model and by its export.
        """
        if self.budget is None:
            return None
        twice = 2 * min(self.validation, MOST_ROWS)
        return max(4.0, (self.started + self.budget - time.time()) * twice / (twice + self.test))

    def put_off(self, winner: Candidate, refit: float, confirming: float, deadline: float) -> float | None:
        """An end of the search no earlier than `deadline`, now that the winner so far is known, the seconds of its refit, and the seconds
        in which the best two learn again once: before the refit and as many of these rounds as fit behind `deadline`, `ROUNDS` at most;
        where the refit does not fit there either, before `LEAST_REFIT` of it, or else when export must begin; but at `deadline`
        where the trials learn from a part of the rows."""
        closing = self.closing([winner])
        if closing is None:
            return None
        ends = [*(closing - refit - rounds * confirming for rounds in range(ROUNDS, -1, -1)), closing - LEAST_REFIT * refit]
        return next((end for end in ends if end >= deadline), closing if self.share == 1 else deadline)

    def side_by_side(self, candidates: Sequence[Candidate], deadline: float | None) -> int | None:
        """How many trials at once; None leaves it to the tuner. One, with all cores, where the largest would not end otherwise."""
        if deadline is None or self.limits.gpus:
            return None
        alone = self.share * max(candidate.flops for candidate in candidates) / self.limits.flops * self.limits.threads
        return 1 if alone > LONG * (deadline - time.time()) else None


def _answers(candidate: Candidate, rows: int) -> float:
    """Seconds, in full precision on the processor."""
    return candidate.forward * rows / (0.7 * matmul_flops())


def budget_of(settings: Settings) -> float | None:
    """Seconds; None for a run that counts trials."""
    return DEFAULT_BUDGET if settings.budget is None and settings.trials is None else settings.budget
