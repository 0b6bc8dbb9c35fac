"""Would more rows help? A cheap candidate learns from parts of the training rows, and the line is drawn on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import AutoftError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Decision, FitData, Save, TrialSpec
from autoft.interfaces.problem import Metric
from autoft.interfaces.result import Estimate, Helps, MoreRows, Size
from autoft.steps.clock import REST, Clock
from autoft.steps.confirm import Bench
from autoft.steps.judge import Interval, figure_of, resampled
from autoft.steps.stored import stored_decisions
from autoft.trial import decisions, trial_seed

PARTS = (4, 2)
"""Of the training rows: four quarters, then two halves, so that each size is measured on all of them."""
WORK = 2.0
"""What fitting all parts costs, in fits of all rows."""
AMPLE = 1.5
"""So many times the time that fitting all parts should take has to be there."""
FEWEST, EACH = 10, 2
"""Rows of a quarter, at least, and for each output of the head: with fewer there is nothing to learn of most classes."""
SECONDS, SHARE = 10.0, 0.05
"""The most that this may take: so many seconds, or that part of the time the run has taken so far, if it is more."""
RESAMPLES = 400
LITTLE = 0.05
"""A gain of less than this part of the errors there are is hardly one."""

_Floats = npt.NDArray[np.float64]


def more_rows(bench: Bench, winner: TrialFinished, clock: Clock) -> MoreRows | None:
    """The figures of the candidate nearest to the winner that can be fitted again within the time there is: with a quarter and half of
    the training rows, with all of them, and, by curves through these, with twice as many.

    None where there is no such candidate, there are too few rows, or too little time.
    """
    least = min(len(train) for train, _ in _rounds(bench.data))
    if bench.journal.stopping or least // PARTS[0] < max(FEWEST, EACH * bench.understood.problem.head.outputs):
        return None
    until = _until(clock)
    for row in _nearest(bench, winner):
        if time.time() + AMPLE * WORK * bench.again(row) <= until and (whole := stored_decisions(bench, row)) is not None:
            bench.journal.stage("outlook", row.candidate)
            return _measured(bench, row, whole, until)
    return None


def _rounds(data: FitData) -> Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(rows to learn from, rows to judge by) of each fit of a trial."""
    return data.folds or ((data.train, data.validation),)


def _until(clock: Clock) -> float:
    most = max(SECONDS, SHARE * (time.time() - clock.started))
    left = clock.left()
    return time.time() + (most if left is None else min(most, left - REST))


def _nearest(bench: Bench, winner: TrialFinished) -> list[TrialFinished]:
    """The trials that learned to the end from labels alone, those of the winner's source before others, then by score."""
    source = bench.candidates[winner.candidate].source
    rows = [
        row for row in bench.journal.leaderboard.contenders() if row.status == "done" and row.stage != "distillation" and row.rows is None
    ]
    return sorted(rows, key=lambda row: bench.candidates[row.candidate].source != source)


def _measured(bench: Bench, row: TrialFinished, whole: npt.NDArray[Any], until: float) -> MoreRows | None:
    task, problem, validation = bench.understood.task, bench.understood.problem, bench.data.validation
    targets, started = bench.understood.targets[validation], time.process_time()
    counts: list[float] = []
    sets: list[npt.NDArray[Any]] = []
    try:
        for parts in PARTS:
            for part in range(parts):
                rows, decided = _fitted_to(bench, row, parts, part, until)
                counts.append(rows)
                sets.append(decided)
    except Exception as error:  # whatever a model raises: this is an addition to a result that stands
        reason = error.message if isinstance(error, AutoftError) else f"{type(error).__name__}: {error}"
        bench.journal.say(f"{row.candidate} was not fitted to fewer rows: {reason}")
        return None
    finally:
        bench.journal.busy_seconds += time.process_time() - started
    figures = [figure_of(task, problem, targets, decided) for decided in (*sets, whole)]
    samples = resampled(figures, len(validation), problem.seed, RESAMPLES)
    values = np.array([figure(np.arange(len(validation))) for figure in figures])
    total = float(np.mean([len(train) for train, _ in _rounds(bench.data)]))
    sizes = (float(np.mean(counts[:4])), float(np.mean(counts[4:])), total)
    return estimated(problem.metric, row.candidate, sizes, values, samples, problem.seed)


def _fitted_to(bench: Bench, row: TrialFinished, parts: int, part: int, until: float) -> tuple[float, npt.NDArray[Any]]:
    """The rows of a part, on average over the rounds, and the decisions of what learned from them on `bench.data.validation`."""
    understood, candidate = bench.understood, bench.candidates[row.candidate]
    task, problem = understood.task, understood.problem
    spec = TrialSpec(row.trial, candidate, row.hyperparameters, trial_seed(problem.seed, row.trial), bench.threads, min(1, bench.gpus))
    heard: list[_Heard] = []
    held: list[npt.NDArray[np.int64]] = []
    taken = []
    for train, judged in _rounds(bench.data):
        strata = task.strata(problem, understood.targets[train])
        groups = understood.splits.groups
        quarter = quarters(strata, None if groups is None else groups[train], len(train), problem.seed)
        rows = train[quarter * parts // 4 == part]
        report = _Heard(lambda: time.time() > until or bench.journal.stopping)
        bench.catalog.model(candidate.model).fit(spec, replace(bench.data, train=rows, validation=judged, folds=()), report)
        if report.stopped or not report.outputs:
            raise AutoftError("the time was over")
        heard.append(report)
        held.append(judged)
        taken.append(len(rows))
    ends = np.cumsum([len(rows) for rows in held])
    places = np.split(np.arange(ends[-1]), ends[:-1])
    outputs = joined([(place, one.outputs) for place, one in zip(places, heard, strict=True)], int(ends[-1]))
    targets = understood.targets[np.concatenate(held)]
    extras = [(len(rows), one.extra) for rows, one in zip(held, heard, strict=True)]
    return float(np.mean(taken)), decisions(task, problem, outputs, targets, extras)


@dataclass
class _Heard:
    """A `Report` that remembers the last evaluation and lets nothing be saved."""

    stop: Callable[[], bool]
    stopped: bool = False
    outputs: Arrays = field(default_factory=dict)
    extra: Arrays = field(default_factory=dict)

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:  # noqa: ARG002
        self.outputs, self.extra = outputs, extra or {}
        return "stop" if progress < 1 and self.stop_requested() else "go"

    def stop_requested(self) -> bool:
        self.stopped = self.stopped or self.stop()
        return self.stopped

    def seconds_left(self) -> float | None:
        return None


def quarters(strata: npt.NDArray[np.int64] | None, groups: npt.NDArray[np.int64] | None, rows: int, seed: int) -> npt.NDArray[np.int64]:
    """The quarter, 0 to 3, of each of `rows` rows: each stratum (n,) in equal shares, or whole groups (n,) where there are any."""
    generator = np.random.default_rng(seed)
    if groups is not None:
        owner = np.unique(groups, return_inverse=True)[1].reshape(-1)
        return (generator.permutation(int(owner.max()) + 1) % 4)[owner]
    order = generator.permutation(rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    quarter = np.empty(rows, np.int64)
    quarter[order] = np.arange(rows) % 4
    return quarter


def estimated(metric: Metric, candidate: str, sizes: Sequence[float], values: _Floats, samples: _Floats, seed: int) -> MoreRows | None:
    """`values` (7,) are the figures after four quarters, two halves and all of the rows, `samples` (resamples, 7) the same resampled;
    `sizes` (3,) are the rows of a quarter, a half and all.

    The gain of twice as many is the mean of what two curves tell; its interval holds half of the resamples drawn on by each, since which
    of them it is three sizes do not tell. None where the metric knows no error that could shrink to nothing.
    """
    if not (np.isfinite(samples).all() and np.isfinite(values).all()) or (metric.greater_is_better and values.max() > 1):
        return None
    generator, places = np.random.default_rng(seed), (slice(0, 4), slice(4, 6), slice(6, 7))
    whole = np.array([[values[place].mean() for place in places]])
    drawn = np.stack([_means(samples[:, place], generator) for place in places], axis=1)
    sign = -1.0 if metric.greater_is_better else 1.0
    errors, more = ((1 - figures if metric.greater_is_better else figures) for figures in (whole, drawn))
    gain = float(np.mean([curve(errors, sizes)[0] for curve in (_power_law, _logarithm)]))
    gains = np.concatenate([_power_law(more[::2], sizes), _logarithm(more[1::2], sizes)])
    order = np.concatenate([drawn[::2, 2], drawn[1::2, 2]])
    told = _estimate(gain, gains)
    helps: Helps = "yes" if told.low > 0 else "no" if told.high < LITTLE * errors[0, 2] else "unclear"
    measured = [Size(rows=round(size), figure=_estimate(whole[0, i], drawn[:, i])) for i, size in enumerate(sizes)]
    twice = Size(rows=round(2 * sizes[2]), figure=_estimate(whole[0, 2] - sign * gain, order - sign * gains))
    return MoreRows(helps=helps, candidate=candidate, sizes=measured, twice=twice, gain=told)


def _means(samples: _Floats, generator: np.random.Generator) -> _Floats:
    """Over the parts of a size, these drawn with replacement, too: (resamples,)."""
    chosen = generator.integers(0, samples.shape[1], samples.shape)
    means: _Floats = np.take_along_axis(samples, chosen, axis=1).mean(axis=1)
    return means


def _power_law(errors: _Floats, sizes: Sequence[float]) -> _Floats:
    """How much the errors (n, 3) shrink with twice the rows where they are a power of these (Hestness et al., arXiv 1712.00409, 2017)."""
    errors = np.maximum(errors, 1e-6)
    made: _Floats = errors[:, 2] * (1 - 2 ** _slope(np.log(errors), sizes))
    return made


def _logarithm(errors: _Floats, sizes: Sequence[float]) -> _Floats:
    """The same where every doubling is worth as much."""
    made: _Floats = np.minimum(-np.log(2) * _slope(errors, sizes), errors[:, 2])
    return made


def _slope(values: _Floats, sizes: Sequence[float]) -> _Floats:
    """By least squares over the logarithm of the rows, no greater than 0: more rows do no harm."""
    x = np.log(np.asarray(sizes))
    x -= x.mean()
    made: _Floats = np.minimum((values * x).sum(axis=1) / (x**2).sum(), 0.0)
    return made


def _estimate(value: float, samples: _Floats) -> Estimate:
    interval = Interval.of(float(value), samples)
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
