"""Figures on the test part with their uncertainty, and the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task

RESAMPLES = 1000
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % percentile-bootstrap interval (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


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
    name, sign = problem.metric.name, 1.0 if problem.metric.greater_is_better else -1.0

    def figure(decisions: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> float:
        return task.score(problem, targets[rows], decisions[rows])[name]

    generator = np.random.default_rng(seed)
    samples = np.empty((RESAMPLES, 2))
    for i in range(RESAMPLES):
        rows = generator.integers(0, len(targets), len(targets))
        samples[i] = figure(winner, rows), figure(baseline, rows)
    everything = np.arange(len(targets))
    whole = figure(winner, everything), figure(baseline, everything)
    return Judgement(
        _interval(whole[0], samples[:, 0]),
        _interval(whole[1], samples[:, 1]),
        _interval(sign * (whole[0] - whole[1]), sign * (samples[:, 0] - samples[:, 1])),
    )


def _interval(value: float, samples: npt.NDArray[np.float64]) -> Interval:
    tail = 50 * (1 - COVERAGE)
    return Interval(value, float(np.nanpercentile(samples, tail)), float(np.nanpercentile(samples, 100 - tail)))


def verdict(
    judgement: Judgement,
    problem: Problem,
    winner: str,
    baseline: str,
    *,
    itself: bool,
    rows: int,
    folds: int,
    seeds: int,
    refit: bool,
    refit_rows: int,
) -> str:
    """Three or four sentences for a reader who knows no statistics."""
    metric = problem.metric.name
    said = [f"{winner} reaches {metric} {judgement.winner} on {rows} test rows that no choice was made on."]
    if itself:
        said.append("It is the baseline itself: no candidate did better on the validation rows.")
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
    said.append("Intervals hold with 95 % confidence.")
    return " ".join(said)
