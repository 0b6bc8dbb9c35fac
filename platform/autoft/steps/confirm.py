"""Is the first of the leaderboard really the best? It meets another one again on other folds, then the winner learns from all rows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from autoft.catalog import Catalog
from autoft.data.splits import duplicate_groups, split, split_groups
from autoft.data.table import Rows
from autoft.interfaces.events import SourcesRanked, TrialFinished
from autoft.interfaces.model import HORIZON, Candidate, FitData, Fitted, TrialSpec
from autoft.journal import Journal
from autoft.steps.chance import standard_error
from autoft.steps.clock import LEAST_REFIT
from autoft.steps.parts import evaluated, fold_codes, learning
from autoft.steps.understand import Understood
from autoft.trial import TrialOutcome, run_trial, trial_seed

FOLDS = 4
"""The most further folds (or seeds)."""
FOLDS_WITHOUT_CLOCK = 2
DIFFER = 3.0
"""How many times as long as the quickest trial of a candidate another one may take."""
SHORTEST_REFIT = 0.6
"""The share of its steps with which a refit that was begun goes on; the machine may be slower than it was."""
IN_REACH = 2.0
"""Standard errors behind the first within which a candidate may still come before it."""
WITHOUT_EVALUATION = 0.85
"""The share of a trial's time that is training."""


@dataclass(frozen=True)
class Confirmation:
    """`order` is the ranking after the further folds; `figures` holds each contender's value per fold by trial, the search's own first.
    `folds` and `seeds` count those on which the two met: none where the first had to hold alone."""

    order: tuple[TrialFinished, ...]
    folds: int = 0
    seeds: int = 0
    figures: dict[int, list[float]] | None = None


@dataclass(frozen=True)
class Bench:
    """What the steps after the search need to run a trial in this process with all cores. `fixed_validation`: the validation part is
    the user's own, or what comes later in time, and further folds would not be like it. `part`: those of the training rows that the trials
    of the search learned from, where these were not all."""

    journal: Journal
    understood: Understood
    data: FitData
    catalog: Catalog
    candidates: dict[str, Candidate]
    threads: int
    gpus: int
    concurrency: int
    fixed_validation: bool
    verbose: bool = False
    ranking: SourcesRanked | None = None
    part: Rows | None = None

    def cost(self, row: TrialFinished, rows: int) -> float:
        """Seconds that this trial will take here on `rows` rows, with what it left to others at hand; two threads for one give about 1.5
        times the speed."""
        share = max(1, self.threads // max(1, self.concurrency))
        gain = 1.0 if self.gpus else float((self.threads / share) ** 0.6)
        complete = 100 / max(row.progress, 1)
        spared = row.shared_seconds if row.rows is None else 0.0  # what was left of a part is not what all rows need
        learned = max(1, row.rows or len(self.data.train))
        return 1.0 + (row.seconds - spared) * complete * rows / learned / gain

    def again(self, row: TrialFinished) -> float:
        """Seconds in which a finished trial learns once more from as many rows. A candidate's first trial may have computed what is there
        for all others, so that the quickest counts, and that trials of a candidate differ."""
        alike = [one for one in self.journal.leaderboard if one.candidate == row.candidate and one.rows == row.rows]
        done = [one.seconds for one in alike if one.status == "done"]
        return min([row.seconds - row.shared_seconds, *(DIFFER * seconds for seconds in done)])

    def learned(self, row: TrialFinished) -> FitData:
        """What a trial learned from."""
        return self.data if row.rows is None or self.part is None else replace(self.data, train=self.part)

    def kept(self, row: TrialFinished) -> bool:
        """Whether the weights of a trial are still on disk."""
        return (self.journal.trial_folder(row.trial) / "model").is_dir()

    def load(self, row: TrialFinished) -> Fitted:
        """The weights that a trial left."""
        return self.catalog.model(self.candidates[row.candidate].model).load(self.journal.trial_folder(row.trial) / "model")

    def run(
        self,
        row: TrialFinished,
        data: FitData,
        name: str,
        seed: int,
        deadline: float | None,
        *,
        stoppable: bool = True,
        least: float | None = None,
    ) -> TrialOutcome:
        """`least`: the model may shorten its schedule to fit, and is stopped where less than this share of it is left."""
        candidate = self.candidates[row.candidate]
        spec = TrialSpec(row.trial, candidate, row.hyperparameters, seed, self.threads, min(1, self.gpus))
        outcome = run_trial(
            spec,
            data,
            self.catalog.model(candidate.model),
            self.understood.task,
            self.journal.folder / "cache" / name,
            listen=lambda event: "stop" if event.measures.get(HORIZON, 1.0) < (least or 0.0) else "go",
            deadline=deadline,
            stop_file=self.journal.stop_file if stoppable else None,
            fixed_horizon=least is None,
            verbose=self.verbose,
        )
        self.journal.busy_seconds += outcome.busy_seconds
        return outcome


def in_reach(bench: Bench, ranked: Sequence[TrialFinished]) -> list[Candidate]:
    """The candidates of `ranked`, best first, of which further trials may bring the winner: that of the first, and those near it."""
    return [bench.candidates[name] for name in dict.fromkeys(row.candidate for row in near(bench, ranked, IN_REACH))]


def contenders(bench: Bench, ranked: Sequence[TrialFinished]) -> list[TrialFinished]:
    """Those of `ranked`, best first, that meet again: the first, and the best of another candidate where chance might make it first (within
    a standard error), else the second. The best of many trials of a cheap candidate are much the same model, and their figures too."""
    first = ranked[0]
    rival = next((row for row in near(bench, ranked, 1.0) if row.candidate != first.candidate), None)
    return _alike(ranked)[:2] if rival is None else [first, rival]


def _alike(ranked: Sequence[TrialFinished]) -> list[TrialFinished]:
    """Figures of unlike rows would not be of the settings alone."""
    return [row for row in ranked if row.rows == ranked[0].rows]


def near(bench: Bench, ranked: Sequence[TrialFinished], errors: float) -> list[TrialFinished]:
    """Those so many standard errors behind the first at most."""
    metric, best = bench.understood.problem.metric, _value(ranked[0])
    least = metric.key(best) - errors * standard_error(metric, best, len(bench.data.validation))
    return [row for row in _alike(ranked) if metric.key(_value(row)) >= least]


def confirm(bench: Bench, ranked: Sequence[TrialFinished], deadline: float | None, *, refit_seconds: float) -> Confirmation:
    """`deadline` bounds confirmation and refit together; a fold that would leave no time for the refit is not begun. Where there is time
    for the first alone, and the other is of another candidate, that one keeps the single figure it has."""
    met = contenders(bench, ranked)
    unchanged = Confirmation(tuple(ranked))
    if len(met) < 2 or bench.journal.stopping:
        return unchanged
    figures = {row.trial: [_value(row)] for row in met}
    done = 0

    def fits(rows: Sequence[TrialFinished]) -> bool:
        return deadline is None or time.time() + round_cost(bench, rows) + refit_seconds <= deadline

    # A cheap first one has to hold by itself where there is no time for a dear rival.
    again = met if fits(met) or met[0].candidate == met[1].candidate else met[:1]
    for number in range(1, (FOLDS if deadline else FOLDS_WITHOUT_CLOCK) + 1):
        if not fits(again):
            break
        outcomes = [_fold(bench, row, number, deadline) for row in again]
        if any(outcome.status != "done" or outcome.value is None for outcome in outcomes):
            break
        for row, outcome in zip(again, outcomes, strict=True):
            figures[row.trial].append(outcome.value or 0.0)
        done = number
    if not done:
        return unchanged
    metric = bench.understood.problem.metric
    met.sort(key=lambda row: -metric.key(fmean(figures[row.trial])))
    both = done if again is met else 0
    folds, seeds = (0, both) if bench.fixed_validation else (both, 0)
    others = (row for row in ranked if row.trial not in figures)
    return Confirmation((*met, *others), folds, seeds, figures)


def round_cost(bench: Bench, met: Sequence[TrialFinished]) -> float:
    """Seconds in which each learns again once."""
    return sum(bench.cost(row, len(bench.data.train)) for row in met)


def _fold(bench: Bench, row: TrialFinished, number: int, deadline: float | None) -> TrialOutcome:
    """The same candidate and hyperparameters on another split of the rows that are not test, or with another seed where that is fixed."""
    name = f"confirm-{row.trial}-{number}"
    seed = trial_seed(bench.understood.problem.seed, 1_000_000 + number)
    data = bench.data if bench.fixed_validation else _refolded(bench, number)
    outcome = bench.run(row, data, name, seed, deadline)
    outcome.fitted = None
    shutil.rmtree(bench.journal.folder / "cache" / name, ignore_errors=True)
    return outcome


def _refolded(bench: Bench, number: int) -> FitData:
    understood = bench.understood
    added = np.arange(len(understood.rows) - understood.added, len(understood.rows))
    pool = np.setdiff1d(understood.learnable, added)
    seed, groups = understood.problem.seed + number, understood.splits.groups
    if bench.data.folds:
        # The same rows in other folds; nothing learns from all of them once more.
        strata = understood.task.strata(understood.problem, understood.targets)
        owners = duplicate_groups(understood.rows) if groups is None else groups
        codes = fold_codes(strata, owners, pool, len(understood.rows), seed)
        splits = replace(understood.splits, folds=understood.splits.folds if codes is None else codes)
        data = learning(understood.problem, understood.rows, understood.targets, splits, bench.data.cache)
        return replace(data, train=np.empty(0, dtype=np.int64))
    share = len(understood.splits.validation) / len(pool)
    strata = understood.task.strata(understood.problem, understood.targets[pool])
    if groups is None:
        made = split(strata, duplicate_groups(understood.rows.take(pool)), len(pool), seed, test=0.0, validation=share)
    else:
        made = split_groups(strata, groups[pool], seed, test=0.0, validation=share)
    train = np.concatenate([pool[made.train], added])
    return replace(bench.data, train=train, validation=evaluated(understood.problem, pool[made.validation]))


def refit_cost(bench: Bench, row: TrialFinished) -> float:
    """Seconds; without validation rows there is nothing to evaluate and nothing to save on the way."""
    if bench.data.folds:
        return 0.0
    return WITHOUT_EVALUATION * bench.cost(row, len(bench.understood.learnable))


def refit_fits(bench: Bench, row: TrialFinished, deadline: float | None) -> bool:
    """Whether the time carries `LEAST_REFIT` of its steps."""
    return deadline is None or time.time() + LEAST_REFIT * refit_cost(bench, row) <= deadline


def learned_all(bench: Bench, row: TrialFinished) -> bool:
    """Whether its trial learned from all rows that are not test: one that was cross-validated does so last."""
    return bool(bench.data.folds) and row.status == "done"


def refit(bench: Bench, row: TrialFinished, deadline: float | None) -> Fitted | None:
    """The winner's recipe on all rows that are not test, or `LEAST_REFIT` of its steps; None where the time does not carry these."""
    if learned_all(bench, row):
        return bench.load(row)
    if bench.journal.stopping or not refit_fits(bench, row, deadline):
        return None
    data = replace(bench.data, train=bench.understood.learnable, validation=np.empty(0, dtype=np.int64), folds=())
    seed = trial_seed(bench.understood.problem.seed, row.trial)
    outcome = bench.run(row, data, "refit", seed, deadline, least=SHORTEST_REFIT)
    if outcome.status != "done":
        why = "there is too little time" if outcome.status == "stopped" and not bench.journal.stopping else outcome.reason
        bench.journal.say(f"the refit was not finished ({why}); the trial's own weights are kept")
        return None
    return outcome.fitted


def _value(row: TrialFinished) -> float:
    if row.value is None:
        raise ValueError(f"trial {row.trial} has no value")
    return row.value
