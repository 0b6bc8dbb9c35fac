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
CHEAP_REFIT, CHEAP_SHARE = 3.0, 0.05
"""Seconds, and the most of the time for search and refit, that are kept even where there are none for the refit of the dearest candidate:
a head on fixed features learns from all rows in them, in 0.6 s, or n-grams of 3,000 short texts, in 2.4 s."""
LEAST_REFIT = 0.75
"""The share of its steps with which a refit is begun: it learns from more rows than the trial did, in about as many steps."""
ROUNDS = 2
"""Of confirmation, for which a search that could go on ends."""
START = 8.0
"""Seconds until the first trial runs, from the end of the baseline on: it was 5 to 8."""
OVERHEAD = 1.25
"""What a trial takes over its training steps: evaluation, loading, saving."""
FIRST = 2.0
"""Seconds that a candidate's first trial takes beside that: its libraries are imported, its weights are read."""
BASELINE = 1 / 3
"""The most of the time that is left which the baseline takes."""
LONG = 0.7
"""A trial that would take more than this part of the search with one core gets all cores."""
ANSWERS = 0.3
"""The most of a budget that is kept for answering the rows of the proof, which asks about fewer where time is short, and the test rows."""
MOST_ANSWERS = 0.6
"""The most that a search leaves for answering the test rows, all of which are asked about: the rest is for a trial and the export."""
DEAR = 0.5
"""Of a budget: a trial that seems to take more is passed over, or is cut, or leaves no other its time."""
TOLD = 1.0
"""Seconds that answers should take, at least, to tell how slow the machine is."""
REST = 3.0
"""Seconds of the budget that are left for the report by what comes before it and could as well be shorter."""
STOPPED = 3.0
"""Seconds for a proof that a user waits for who has stopped the run: the shapes, and as many rows as are compared then."""
CLOSING = 4.0
"""Seconds that the end of a run takes beside the rows that it asks about, of a model without a source: the graph, the report."""
LIBRARIES = 2.0
"""Seconds until a pretrained source can be exported, beside those for its size: runs of 100 s ended after 84 to 97 s."""
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
SHORT_PROOF = 200
"""Rows that a proof compares at least, where the others give way to a refit."""
PART_TRIALS = 4
"""Trials on a part of the rows that a search must have time for; with less time its trials learn from all rows, shortened."""
LARGE = 110e6
"""Parameters of a base-size source."""
EXPORTING = 18.0
"""Seconds in which it is exported, and proved on a few shapes: the stage took 26 with 100 rows to prove by, `LIBRARIES` among them."""
ANSWERING, ANSWERING_SMALL = 0.7, 0.55
"""Of the machine's speed in full precision, for base-size sources and for those of less than half as many parameters: the former had all of
it on short texts, the latter 0.67 of it there (3,080 of banking77), and 0.58 on longer ones (2,000 of Reuters R8)."""
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
        return cls(started, budget, plateau, understood.for_trials(limits), refit, len(understood.validated), len(splits.test))

    def with_format(self, exporter: Exporter, *, several: bool) -> Clock:
        """The same for a bundle in this format, or for the choice of one of `several`."""
        return replace(self, exports=ROUNDED if several or isinstance(exporter, Approximates) else 1)

    def with_pupil(self, candidates: Sequence[Candidate]) -> Clock:
        """The same for a run whose winner teaches one of these, at the cost of the dearest: its trial, and its refit."""
        if self.budget is None or not self.limits.flops:
            return self
        dearest = max((candidate.flops for candidate in candidates), default=0.0)
        return replace(self, behind=min(STUDYING * self.budget, OVERHEAD * dearest / self.limits.flops * (1 + self.refit)))

    def hangs_on_speed(self, tried: Sequence[Candidate], passed_over: Sequence[Candidate]) -> bool:
        """Whether it is worth a second to make sure of the machine's speed: a candidate is `DEAR`, or the test rows are."""
        if self.budget is None or self.limits.gpus or not self.limits.flops:
            return False
        trials = (candidate.flops / self.limits.flops for candidate in (*tried, *passed_over))
        return any(seconds > DEAR * self.budget for seconds in trials) or any(self._many(candidate) for candidate in tried)

    def answered(self, candidate: Candidate, rows: int, seconds: float) -> Clock:
        """The same for a machine as slow as it was when it answered so many rows."""
        promised = self._answers(candidate, rows)
        return self if promised < TOLD else replace(self, pace=min(SLOWEST, max(self.pace, seconds / promised)))

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
        rows = [row for flops, row in told if flops == dearest]
        # What a trial left to the others is part of the promise.
        taken = median(row.seconds * 100 / row.progress for row in [row for row in rows if row.shared_seconds] or rows)
        return replace(self, pace=min(SLOWEST, max(1.0, taken / promised)))

    def baseline(self) -> float | None:
        """When the baseline must end."""
        return None if self.budget is None else time.time() + BASELINE * (self.started + self.budget - time.time())

    def closing_seconds(self, candidate: Candidate) -> float:
        """What export, proof, test evaluation and report take: a start, the size of the graph, and the rows that are asked about: all
        test rows, and as many of the proof's as fit into `ANSWERS` of the budget beside them."""
        size = self.exports * EXPORTING * candidate.source.parameters / LARGE + LIBRARIES if candidate.source else 0.0
        answers = self.pace * self._answers(candidate, 2 * self.exports * min(self.validation, MOST_ROWS) + self.test)
        most = answers if self.budget is None else max(ANSWERS * self.budget, self.testing(candidate))
        return self.pace * (CLOSING + size) + min(answers, most)

    def _many(self, candidate: Candidate) -> bool:
        """Whether the test rows take more than is kept for answers anyway."""
        return self.budget is not None and self.testing(candidate) > ANSWERS * self.budget

    def testing(self, candidate: Candidate) -> float:
        """Seconds in which the test rows are answered."""
        return self.pace * self._answers(candidate, self.test)

    def test_in_words(self, candidates: Sequence[Candidate]) -> tuple[str, bool] | None:
        """What the test rows cost, and whether the budget can be kept, where that is much of it: for the dearest candidate."""
        dearest = max(candidates, key=self.testing, default=None)
        if self.budget is None or dearest is None or not self._many(dearest):
            return None
        cost = self.testing(dearest)
        said = f"the {self.test} test rows take {dearest.name} about {cost:.0f} s to answer, of the {self.budget:.0f} s there are"
        if cost <= MOST_ANSWERS * self.budget:
            return f"{said}: so much is kept for them", True
        over = cost - MOST_ANSWERS * self.budget
        hint = f"--budget {cost / MOST_ANSWERS:.0f}s is enough, and so are fewer test rows or a smaller source"
        return f"{said}: the run may end about {over:.0f} s late; {hint}", False

    def unanswerable(self, candidate: Candidate) -> str:
        """Why a run cannot serve it in time, or "": its test rows alone take more than may be kept for them."""
        seconds = self.testing(candidate)
        if self.budget is None or seconds <= MOST_ANSWERS * self.budget:
            return ""
        return f"to answer the {self.test} test rows it would take about {seconds:.0f} of the {self.budget:.0f} s there are"

    def asking(self, candidate: Candidate, rows: int) -> float:
        """Seconds in which saved weights are loaded and asked about `rows` rows."""
        size = LOADING * (candidate.source.parameters if candidate.source else 0) / LARGE
        return self.pace * (1.0 + size + self._answers(candidate, rows))

    def _answers(self, candidate: Candidate, rows: int) -> float:
        """Seconds, in full precision on the processor."""
        small = candidate.source is not None and candidate.source.parameters < LARGE / 2
        return candidate.forward * rows / ((ANSWERING_SMALL if small else ANSWERING) * matmul_flops())

    def left(self) -> float | None:
        """Seconds of the budget; None without one."""
        return None if self.budget is None else self.started + self.budget - time.time()

    def closing(self, candidates: Sequence[Candidate]) -> float | None:
        """When export, proof, test and report must begin, or before them what is `behind`."""
        return None if self.budget is None else self.started + self.budget - max(map(self.closing_seconds, candidates)) - self.behind

    def searching(self, candidates: Sequence[Candidate]) -> float | None:
        """When the search must end. Each candidate's first trial comes before all but a cheap refit, and but that of what is known to do
        better, once it has had its own; then the refit of the largest; then the share."""
        closing = self.closing(candidates)
        if closing is None or self.budget is None:
            return None
        # A trial comes before the answers to test rows that are too many for the budget, see `test_in_words`.
        closing += max(0.0, max(map(self.testing, candidates)) - MOST_ANSWERS * self.budget)
        room = max(0.0, closing - time.time() - START)
        each = [OVERHEAD * candidate.flops / self.limits.flops for candidate in candidates]
        refit = max(each) * self.refit
        spare = max(0.0, room - sum(each) - FIRST * len(each))
        kept = CONFIRMATION_SHARE * room
        if self.share < 1:  # what is kept is for learning from all rows, which shortens to the time there is
            return closing - max(kept, min(refit, LARGEST_SHARE * room))
        if spare >= LEAST_REFIT * refit:
            return closing - max(kept, min(refit, spare, LARGEST_SHARE * room))
        return closing - max(min(kept, spare), min(CHEAP_REFIT, CHEAP_SHARE * room), self._preferred(candidates, room))

    def _preferred(self, candidates: Sequence[Candidate], room: float) -> float:
        """Seconds of `room` for the refit of what is known to do better, which evaluates nothing: 0 where they do not carry `LEAST_REFIT`
        of it behind its first trials, which come before those of others."""
        steps = [candidate.flops / self.limits.flops for candidate in candidates if candidate.preferred]
        refit = max(steps, default=0.0) * self.refit
        spare = room - OVERHEAD * sum(steps) - FIRST * len(steps)
        return min(refit, spare) if spare >= LEAST_REFIT * refit else 0.0

    def with_short_proof(self) -> Clock:
        """The same where all rows of the proof but `SHORT_PROOF` give way."""
        return replace(self, validation=min(self.validation, SHORT_PROOF))

    def of_part(self, candidates: Sequence[Candidate], share: float) -> Clock | None:
        """The same for a search whose trials learn from this share of the training rows; None where the time is too short for it."""
        clock = replace(self, share=share)
        ends = clock.searching(candidates)
        one = OVERHEAD * share * max(candidate.flops for candidate in candidates) / self.limits.flops
        return clock if ends is None or time.time() + PART_TRIALS * one <= ends else None

    def proving(self, *, stopped: bool = False) -> float | None:
        """Seconds for the proof's rows and for those `after_proof`; None without a budget, but for a run that was stopped."""
        left = self.left()
        seconds = None if left is None else max(0.0, left - REST)
        if stopped:
            return STOPPED if seconds is None else min(STOPPED, seconds)
        return seconds

    @property
    def after_proof(self) -> int:
        """Rows that an export answers once it is proved: those of the test, and for each export to come those of its proof, which are
        answered twice, by the model and by its export."""
        return self.test + 2 * (self.exports - 1) * min(self.validation, MOST_ROWS)

    def put_off(self, winners: Sequence[Candidate], refit: float, confirming: float, deadline: float) -> float | None:
        """An end of the search no earlier than `deadline`, now that those are known which may win, the seconds in which the first so far is
        refitted, and the seconds in which the best two learn again once: before the refit and as many of these rounds as fit behind
        `deadline`, `ROUNDS` at most; where the refit does not fit there either, before `LEAST_REFIT` of it, for which rows of the proof may
        have to give way, or else when export must begin; but at `deadline` where the trials learn from a part of the rows."""
        closing = self.closing(winners)
        short = self.with_short_proof().closing(winners)
        if closing is None or short is None:
            return None
        ends = [
            *(closing - refit - rounds * confirming for rounds in range(ROUNDS, -1, -1)),
            *(c - LEAST_REFIT * refit for c in (closing, short)),
        ]
        return next((end for end in ends if end >= deadline), closing if self.share == 1 else deadline)

    def side_by_side(self, candidates: Sequence[Candidate], deadline: float | None) -> int | None:
        """How many trials at once; None leaves it to the tuner. One, with all cores, where the largest would not end otherwise."""
        if deadline is None or self.limits.gpus:
            return None
        dearest = max(candidate.flops for candidate in candidates)
        alone = (OVERHEAD * self.share * dearest / self.limits.flops + FIRST) * self.limits.threads
        return 1 if alone > LONG * (deadline - time.time()) else None


def budget_of(settings: Settings) -> float | None:
    """Seconds; None for a run that counts trials."""
    return DEFAULT_BUDGET if settings.budget is None and settings.trials is None else settings.budget
