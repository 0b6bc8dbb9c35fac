"""Figures on the test part with their uncertainty, and the verdict in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Tallied, Task

RESAMPLES = 1000
COVERAGE = 0.95
FEW_ROWS = 30
"""Fewer test rows than this are worth a word in the verdict."""


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % percentile-bootstrap interval (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})" if self.wide else f"{self.value:.3f}"

    @property
    def wide(self) -> bool:
        """False where all resamples gave the same figure: no row differs from the others, which is no proof that none would."""
        return self.low != self.high


@dataclass(frozen=True)
class Judgement:
    """On the test rows: the winner's figure, the baseline's, and the winner's lead, each resampled over the same rows."""

    winner: Interval
    baseline: Interval
    lead: Interval

    @property
    def better(self) -> bool:
        """Whether the whole interval of the lead is above zero."""
        return self.lead.low > 0

    def as_json(self) -> dict[str, dict[str, float]]:
        return {name: vars(getattr(self, name)) for name in ("winner", "baseline", "lead")}


def judge(
    task: Task, problem: Problem, targets: npt.NDArray[Any], winner: npt.NDArray[Any], baseline: npt.NDArray[Any], seed: int
) -> Judgement:
    """Paired bootstrap of the decisions on the test rows. Leads are turned so that greater is better."""
    sign = 1.0 if problem.metric.greater_is_better else -1.0
    figures = [_figure(task, problem, targets, decisions) for decisions in (winner, baseline)]
    generator = np.random.default_rng(seed)
    samples = np.empty((RESAMPLES, 2))
    for i in range(RESAMPLES):
        rows = generator.integers(0, len(targets), len(targets))
        samples[i] = [figure(rows) for figure in figures]
    whole = [figure(np.arange(len(targets))) for figure in figures]
    return Judgement(
        _interval(whole[0], samples[:, 0]),
        _interval(whole[1], samples[:, 1]),
        _interval(sign * (whole[0] - whole[1]), sign * (samples[:, 0] - samples[:, 1])),
    )


def _figure(
    task: Task, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]
) -> Callable[[npt.NDArray[np.int64]], float]:
    """The metric of rows by their numbers."""
    name = problem.metric.name
    if isinstance(task, Tallied):
        tallied, tallies = task, task.tallies(problem, targets, decisions)
        return lambda rows: tallied.figures(problem, tallies[rows].sum(axis=0))[name]
    return lambda rows: task.score(problem, targets[rows], decisions[rows])[name]


def _interval(value: float, samples: npt.NDArray[np.float64]) -> Interval:
    tail = 50 * (1 - COVERAGE)
    return Interval(value, float(np.nanpercentile(samples, tail)), float(np.nanpercentile(samples, 100 - tail)))


def faultless(targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> bool:
    """Whether every row is answered rightly. Arrays of a code a word may differ in how far they are filled up with -1."""
    if targets.ndim == 2 and targets.shape[1] != decisions.shape[1]:
        width = min(targets.shape[1], decisions.shape[1])
        if not all((codes[:, width:] == -1).all() for codes in (targets, decisions)):
            return False
        targets, decisions = targets[:, :width], decisions[:, :width]
    return np.array_equal(targets, decisions)


def verdict(
    judgement: Judgement,
    problem: Problem,
    winner: str,
    baseline: str,
    *,
    itself: bool,
    alone: bool,
    all_right: bool,
    rows: int,
    folds: int,
    seeds: int,
    refit: bool,
    refit_rows: int,
) -> str:
    """Three to five sentences for a reader who knows no statistics. `itself`: the winner is the baseline; `alone`: nothing else was asked
    for; `all_right`: no test row was answered wrongly."""
    metric = problem.metric.name
    said = [f"{winner} reaches {metric} {judgement.winner} on {rows} test rows that no choice was made on."]
    if all_right:
        # The rule of three: Hanley & Lippman-Hand, JAMA 249 (13), 1983.
        most = 100 * min(1.0, 3 / rows)
        said.append(f"None of these was answered wrongly; with {rows} rows, up to {most:.2g} % of all others may still be (rule of three).")
    elif rows < FEW_ROWS:
        said.append(f"{rows} test rows are too few to say how far other rows will differ.")
    if itself:
        other = "no other candidate was asked for" if alone else "no candidate did better on the validation rows"
        said.append(f"It is the baseline itself: {other}.")
    elif judgement.lead.value != judgement.lead.value:
        said.append(f"The baseline {baseline} has no figure to hold it against.")
    elif judgement.better:
        said.append(f"It beats the baseline {baseline} ({judgement.baseline.value:.3f}) by {judgement.lead}: more than chance explains.")
    elif judgement.lead.value > 0:
        said.append(
            f"It is ahead of the baseline {baseline} ({judgement.baseline.value:.3f}) by {judgement.lead}, "
            "which may be chance: it does not provably beat it."
        )
    else:
        said.append(f"It does NOT beat the baseline {baseline} ({judgement.baseline.value:.3f}); its lead is {judgement.lead}.")
    if folds or seeds:
        said.append(
            f"The choice was confirmed over {folds} further folds." if folds else f"The choice was confirmed over {seeds} further seeds."
        )
    else:
        said.append("The choice was not confirmed on further folds.")
    said.append(
        f"The model was fitted anew on all {refit_rows} rows that are not test."
        if refit
        else "The model learned from the training rows only; it was not refitted on the validation rows."
    )
    if judgement.winner.wide or not itself:
        said.append("Intervals hold with 95 % confidence.")
    if problem.metric.meaning:
        said.append(f"{metric} is {problem.metric.meaning}.")
    return " ".join(said)
