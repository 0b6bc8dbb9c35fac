"""Figures with their uncertainty: a winner's against another's, by paired bootstrap of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Tallied, Task

RESAMPLES = 1000
COVERAGE = 0.95

Figure: TypeAlias = Callable[[npt.NDArray[np.int64]], float]
"""The metric of the rows of these numbers, some perhaps several times."""


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % percentile-bootstrap interval (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})" if self.wide else f"{self.value:.3f}"

    @classmethod
    def of(cls, value: float, samples: npt.NDArray[np.float64]) -> Interval:
        """`samples` (resamples,) are the figure of each resample."""
        tail = 50 * (1 - COVERAGE)
        return cls(value, float(np.nanpercentile(samples, tail)), float(np.nanpercentile(samples, 100 - tail)))

    @property
    def wide(self) -> bool:
        """False where all resamples gave the same figure: no row differs from the others, which is no proof that none would."""
        return self.low != self.high


@dataclass(frozen=True)
class Judgement:
    """On the same rows: the winner's figure, that of another it is held against, and the winner's lead, each resampled over the rows."""

    winner: Interval
    other: Interval
    lead: Interval

    @property
    def better(self) -> bool:
        """Whether the whole interval of the lead is above zero."""
        return self.lead.low > 0

    def as_json(self, other: str) -> dict[str, dict[str, float]]:
        """`other` names the one that the winner is held against."""
        return {"winner": vars(self.winner), other: vars(self.other), "lead": vars(self.lead)}


def judge(
    task: Task, problem: Problem, targets: npt.NDArray[Any], winner: npt.NDArray[Any], other: npt.NDArray[Any], seed: int
) -> Judgement:
    """Paired bootstrap of two sets of decisions on the rows of `targets`. Leads are turned so that greater is better."""
    sign = 1.0 if problem.metric.greater_is_better else -1.0
    figures = [figure_of(task, problem, targets, decisions) for decisions in (winner, other)]
    samples = resampled(figures, len(targets), seed)
    whole = [figure(np.arange(len(targets))) for figure in figures]
    return Judgement(
        Interval.of(whole[0], samples[:, 0]),
        Interval.of(whole[1], samples[:, 1]),
        Interval.of(sign * (whole[0] - whole[1]), sign * (samples[:, 0] - samples[:, 1])),
    )


def resampled(figures: Sequence[Figure], rows: int, seed: int, resamples: int = RESAMPLES) -> npt.NDArray[np.float64]:
    """The `figures` of `rows` rows drawn with replacement, the same for all, again and again: (resamples, figures)."""
    generator = np.random.default_rng(seed)
    samples = np.empty((resamples, len(figures)))
    for i in range(resamples):
        drawn = generator.integers(0, rows, rows)
        samples[i] = [figure(drawn) for figure in figures]
    return samples


def figure_of(task: Task, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> Figure:
    """The run's metric of these decisions by row numbers."""
    name = problem.metric.name
    if isinstance(task, Tallied):
        tallied, tallies = task, task.tallies(problem, targets, decisions)
        return lambda rows: tallied.figures(problem, tallies[rows].sum(axis=0))[name]
    return lambda rows: task.score(problem, targets[rows], decisions[rows])[name]


def faultless(targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> bool:
    """Whether every row is answered rightly. Arrays of a code a word may differ in how far they are filled up with -1."""
    if targets.ndim == 2 and targets.shape[1] != decisions.shape[1]:
        width = min(targets.shape[1], decisions.shape[1])
        if not all((codes[:, width:] == -1).all() for codes in (targets, decisions)):
            return False
        targets, decisions = targets[:, :width], decisions[:, :width]
    return np.array_equal(targets, decisions)
