"""The baseline is taken where the validation rows do not tell the best trial from it."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from autoft.steps.confirm import Bench, Confirmation
from autoft.steps.judge import COVERAGE, judge
from autoft.steps.stored import stored_decisions

TOLD = 0.5
"""Standard errors by which a trial has to lead: the best of many is flattered by the chance that made it the best."""
_WIDTH = 2 * NormalDist().inv_cdf(0.5 + COVERAGE / 2)
"""Standard errors in an interval."""


def plainer(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the baseline in front, if what is there leads it by less than half the standard error of the lead, paired bootstrap of
    the validation rows: a milder one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3). As it
    is where the two met on further folds, where the baseline is none of what may be served, learned from other rows, or the folders do not
    tell what was answered."""
    winner = found.order[0]
    baseline = next((row for row in found.order if row.stage == "baselines" and row.rows == winner.rows), None)
    met = found.figures if found.folds or found.seeds else None
    if baseline is None or baseline is winner or (met and baseline.trial in met):
        return found
    ours, theirs = stored_decisions(bench, winner), stored_decisions(bench, baseline)
    if ours is None or theirs is None:
        return found
    understood, validation = bench.understood, bench.data.validation
    lead = judge(understood.task, understood.problem, understood.targets[validation], ours, theirs, understood.problem.seed).lead
    error = (lead.high - lead.low) / _WIDTH
    if not lead.value < TOLD * error:
        return found
    bench.journal.say(
        f"{winner.candidate} (trial {winner.trial}) leads the baseline {baseline.candidate} by {lead.value:.3f} on the validation rows, "
        f"less than half of what chance makes of such a lead ({error:.3f}): the baseline is taken"
    )
    return replace(found, order=(baseline, *(row for row in found.order if row is not baseline)))
