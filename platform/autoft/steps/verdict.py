"""The verdict in words, for a reader who knows no statistics."""

from __future__ import annotations

from dataclasses import dataclass

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric, Problem
from autoft.interfaces.result import Outlook
from autoft.report import rows_in_words, time_in_words
from autoft.steps.judge import Judgement
from autoft.steps.rivals import Rivalry

FEW_ROWS = 30
"""Fewer test rows than this are worth a word."""


@dataclass(frozen=True)
class Findings:
    """What the verdict is of. `baseline` is the name of what the winner is held against by `judgement`; `itself`: they are the same;
    `alone`: nothing else was asked for; `all_right`: no test row was answered wrongly; `rows` are test rows, `learned` those that the model
    learned from; `folds` and `seeds` confirmed the choice; `averaged` trials' weights were averaged (0: none); `crossed`: trials were
    cross-validated; `fewer` says by how few folds the winner was, where the time was short; `part`: how many training rows the winner's
    trial learned from, where these were not all (0: all); `limits` says whether those of the user are kept, `taught` from whom it learned,
    `unnamed` what does as well and was not named, `failed` which candidates gave no model."""

    problem: Problem
    winner: str
    baseline: str
    judgement: Judgement
    itself: bool
    alone: bool
    all_right: bool
    rows: int
    learned: int
    refitted: bool
    folds: int = 0
    seeds: int = 0
    averaged: int = 0
    crossed: bool = False
    fewer: str = ""
    part: int = 0
    rivalry: Rivalry | None = None
    outlook: Outlook | None = None
    limits: str = ""
    taught: str = ""
    unnamed: str = ""
    failed: str = ""


def verdict(found: Findings) -> str:
    """Some ten sentences at most: how good, against what, how sure, what more would give."""
    said = [
        *_reached(found),
        found.limits,
        found.taught,
        _against_baseline(found),
        found.unnamed,
        _against_runner_up(found),
        found.failed,
        _confirmed(found),
        _learned(found),
    ]
    if found.outlook:
        rows = found.outlook.rows
        said += [time_in_words(found.outlook.time), rows_in_words(rows, found.winner) if rows else ""]
    if found.judgement.winner.wide or not found.itself:
        said.append("Intervals hold with 95 % confidence.")
    metric = found.problem.metric
    if metric.meaning:
        said.append(f"{metric.name} is {metric.meaning}.")
    return " ".join(filter(None, said))


def unnamed_in_words(baseline: TrialFinished | None, winner: TrialFinished, metric: Metric) -> str:
    """With `--named-only`: whether the baseline, which is none of what the user named, scores at least as high as what is served."""
    if baseline is None or baseline.trial == winner.trial or baseline.value is None or winner.value is None:
        return ""
    ours, theirs = metric.key(winner.value), metric.key(baseline.value)
    if theirs < ours:
        return ""
    figures = f"({metric.name} {baseline.value:.3f} on the validation rows, {winner.candidate} {winner.value:.3f})"
    how = "scores better" if theirs > ours else "does as well"
    return f"{baseline.candidate}, which was not named, {how} {figures}: without --named-only it may be what is served."


def _reached(found: Findings) -> list[str]:
    rows, metric = found.rows, found.problem.metric.name
    said = [f"{found.winner} reaches {metric} {found.judgement.winner} on {rows} test rows that no choice was made on."]
    if found.all_right:
        # The rule of three: Hanley & Lippman-Hand, JAMA 249 (13), 1983.
        most = 100 * min(1.0, 3 / rows)
        said.append(f"None of these was answered wrongly; with {rows} rows, up to {most:.2g} % of all others may still be (rule of three).")
    elif rows < FEW_ROWS:
        said.append(f"{rows} test rows are too few to say how far other rows will differ.")
    return said


def _against_baseline(found: Findings) -> str:
    judgement, baseline = found.judgement, found.baseline
    if found.itself:
        other = "no other candidate was asked for" if found.alone else "no candidate was clearly better on the validation rows"
        return f"It is the baseline itself: {other}."
    if judgement.lead.value != judgement.lead.value:
        return f"The baseline {baseline} has no figure to hold it against."
    if judgement.better:
        return f"It beats the baseline {baseline} ({judgement.other.value:.3f}) by {judgement.lead}: more than chance explains."
    if judgement.lead.value > 0:
        return (
            f"It is ahead of the baseline {baseline} ({judgement.other.value:.3f}) by {judgement.lead}, "
            "which may be chance: it does not provably beat it."
        )
    return f"It does NOT beat the baseline {baseline} ({judgement.other.value:.3f}); its lead is {judgement.lead}."


def _against_runner_up(found: Findings) -> str:
    if found.rivalry is None:
        return ""
    row, judgement, tested = found.rivalry.row, found.rivalry.judgement, found.rivalry.rows == "test"
    name = row.candidate if row.candidate != found.winner else f"trial {row.trial}, another {row.candidate}"
    if row.status == "stopped":
        name += f", stopped at {row.progress} % of its trial,"
    if judgement is None or judgement.lead.value != judgement.lead.value:
        return f"It was not held against the runner-up {name.rstrip(',')}: neither its weights nor its answers were at hand."
    rival = f"the runner-up {name} ({judgement.other.value:.3f})" + (", before the refit," if found.refitted and not found.crossed else "")
    chosen_by = "on the validation rows, by which it was chosen" if judgement.lead.value >= 0 else "on the validation rows"
    where = "on the test rows" if tested else chosen_by
    if judgement.better:
        return f"It beats {rival} by {judgement.lead} {where}: " + ("more than chance explains." if tested else "that flatters it.")
    if not judgement.lead.wide and judgement.lead.value == 0:
        return f"It is even with {rival} {where}."
    if judgement.lead.high < 0:
        return f"It does NOT beat {rival} {where}; its lead is {judgement.lead}."
    return f"Its lead over {rival} is {judgement.lead} {where}: that may be chance."


def _confirmed(found: Findings) -> str:
    if found.folds:
        return f"The choice was confirmed over {found.folds} further folds."
    if found.seeds:
        return f"The choice was confirmed over {found.seeds} further seeds."
    return "The choice was not confirmed on further folds."


def _learned(found: Findings) -> str:
    if found.crossed and found.refitted:
        own = f" The winner's was {found.fewer}." if found.fewer else ""
        return f"The model learned from all {found.learned} rows that are not test; the trials were judged by cross-validation.{own}"
    if found.refitted:
        return f"The model was fitted anew on all {found.learned} rows that are not test."
    if found.averaged:
        rows = f"{found.part} of the training rows" if found.part else "the training rows"
        return f"Its weights are the mean of those of {found.averaged} trials, which learned from {rows} only."
    if found.part:
        return f"The model learned from {found.part} of the training rows only: the run ended before it could learn from all of them."
    return "The model learned from the training rows only; it was not refitted on the validation rows."
