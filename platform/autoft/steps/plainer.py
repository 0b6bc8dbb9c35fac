"""Who is taken where the validation rows do not tell: what is known to do better on such data, else the baseline."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from autoft.interfaces.events import TrialFinished
from autoft.steps.confirm import Bench, Confirmation
from autoft.steps.judge import COVERAGE, judge
from autoft.steps.stored import stored_decisions

TOLD = 0.5
"""Standard errors by which a trial has to lead the baseline: the best of many is flattered by the chance that made it the best."""
TOLD_AGAINST_BETTER = 1.0
"""The same, by which a trial has to lead one of a candidate that is preferred."""
_WIDTH = 2 * NormalDist().inv_cdf(0.5 + COVERAGE / 2)
"""Standard errors in an interval."""


def preferring(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the best whole trial of a preferred candidate in front, where what is there leads it by less than the standard error of
    the lead: what others found on like data weighs more than a figure of few rows."""
    winner = found.order[0]
    if bench.candidates[winner.candidate].preferred:
        return found
    known = next((row for row in found.order if row.status == "done" and bench.candidates[row.candidate].preferred), None)
    return found if known is None else _told(bench, found, known, TOLD_AGAINST_BETTER, "which is known to do better on so few rows")


def plainer(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the baseline in front, if what is there, and is not preferred, leads it by less than half the standard error of the
    lead: a milder one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3)."""
    winner = found.order[0]
    baseline = next((row for row in found.order if row.stage == "baselines"), None)
    if baseline is None or baseline is winner or bench.candidates[winner.candidate].preferred:
        return found
    return _told(bench, found, baseline, TOLD, "the baseline")


def _told(bench: Bench, found: Confirmation, other: TrialFinished, errors: float, what: str) -> Confirmation:
    """`found` with `other` in front, unless the first leads it by so many standard errors of the lead, paired bootstrap of the validation
    rows. As it is where the two met on further folds, where they learned from other rows, or the folders do not tell what was answered."""
    winner = found.order[0]
    met = found.figures if found.folds or found.seeds else None
    if other.rows != winner.rows or (met and other.trial in met):
        return found
    ours, theirs = stored_decisions(bench, winner), stored_decisions(bench, other)
    if ours is None or theirs is None:
        return found
    understood, validation = bench.understood, bench.data.validation
    lead = judge(understood.task, understood.problem, understood.targets[validation], ours, theirs, understood.problem.seed).lead
    error = (lead.high - lead.low) / _WIDTH
    if not lead.value < errors * error:
        return found
    part = "half of what" if errors == TOLD else "what"
    bench.journal.say(
        f"{winner.candidate} (trial {winner.trial}) leads {other.candidate} (trial {other.trial}) by {lead.value:.3f} on the validation "
        f"rows, less than {part} chance makes of such a lead ({error:.3f}): {other.candidate} is taken, {what}"
    )
    return replace(found, order=(other, *(row for row in found.order if row is not other)))
