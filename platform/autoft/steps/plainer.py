"""Who is taken where the validation rows do not tell: what is known to do better on such data, else the baseline."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from autoft.steps.confirm import Bench, Confirmation
from autoft.steps.judge import COVERAGE, Interval
from autoft.steps.stored import stored_lead

TOLD = 0.5
"""Standard errors by which a trial has to lead the baseline: the best of many is flattered by the chance that made it the best."""
TOLD_OF_KNOWN = 1.0
"""The same for the lead over what is known to do better."""
_WIDTH = 2 * NormalDist().inv_cdf(0.5 + COVERAGE / 2)
"""Standard errors in an interval."""


def preferring(bench: Bench, found: Confirmation) -> Confirmation:
    """`found` with the best trial of a preferred candidate in front, where the winner leads it by no more than the standard error of the
    lead, its weights are there, and the two did not meet on further folds: what others found on like data weighs more than a figure of few
    rows. Only those that both answered are asked: where the time was short, it answered for some of them."""
    winner = found.order[0]
    better = [row for row in found.order if bench.candidates[row.candidate].preferred and row.rows == winner.rows]
    known = next(filter(bench.kept, better), None)
    met = found.figures if found.folds or found.seeds else None
    if known is None or bench.candidates[winner.candidate].preferred or (met and known.trial in met):
        return found
    lead = stored_lead(bench, winner, known)
    if lead is None or lead.value > TOLD_OF_KNOWN * _error(lead):
        return found
    bench.journal.say(
        f"{known.candidate} (trial {known.trial}) is taken: it is known to do better on so few rows, and {winner.candidate} (trial "
        f"{winner.trial}) leads it by {lead.value:.3f} on those that both answered, no more than chance makes of it ({_error(lead):.3f})"
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
    lead = stored_lead(bench, winner, baseline)
    if lead is None or not lead.value < TOLD * _error(lead):
        return found
    bench.journal.say(
        f"{winner.candidate} (trial {winner.trial}) leads the baseline {baseline.candidate} by {lead.value:.3f} on the validation rows, "
        f"less than half of what chance makes of such a lead ({_error(lead):.3f}): the baseline is taken"
    )
    return replace(found, order=(baseline, *(row for row in found.order if row is not baseline)))


def _error(lead: Interval) -> float:
    return (lead.high - lead.low) / _WIDTH
