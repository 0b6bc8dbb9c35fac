"""Who is taken where the validation rows do not tell: what is known to do better on such data, else the baseline."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from autoft.steps.confirm import Bench, Confirmation, near
from autoft.steps.judge import COVERAGE, judge
from autoft.steps.stored import stored_decisions

TOLD = 0.5
"""Standard errors by which a trial has to lead the baseline: the best of many is flattered by the chance that made it the best."""
_WIDTH = 2 * NormalDist().inv_cdf(0.5 + COVERAGE / 2)
"""Standard errors in an interval."""


def preferring(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the best trial of a preferred candidate in front, where it is a standard error behind at most, has weights, and the two
    did not meet on further folds: what others found on like data weighs more than a figure of few rows. Of so few a trial may have been
    stopped before it answered for all of them."""
    winner = found.order[0]
    known = next((row for row in near(bench, found.order, 1.0) if bench.candidates[row.candidate].preferred and bench.kept(row)), None)
    met = found.figures if found.folds or found.seeds else None
    if known is None or bench.candidates[winner.candidate].preferred or (met and known.trial in met):
        return found
    bench.journal.say(
        f"{known.candidate} (trial {known.trial}) is taken: it is known to do better on so few rows than {winner.candidate} (trial "
        f"{winner.trial}), which leads by no more than a standard error"
    )
    return replace(found, order=(known, *(row for row in found.order if row is not known)))


def plainer(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the baseline in front, if what is there, and is not preferred, leads it by less than half the standard error of the
    lead, paired bootstrap of the validation rows: a milder one-standard-error rule (Breiman et al., Classification and Regression Trees,
    1984, section 3.4.3). As it is where the two met on further folds, where the baseline is none of what may be served, learned from other
    rows, or the folders do not tell what was answered."""
    winner = found.order[0]
    baseline = next((row for row in found.order if row.stage == "baselines" and row.rows == winner.rows), None)
    met = found.figures if found.folds or found.seeds else None
    if baseline is None or baseline is winner or bench.candidates[winner.candidate].preferred or (met and baseline.trial in met):
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
