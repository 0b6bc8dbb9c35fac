"""One trial, wherever it runs: in a Ray worker, in the driver, on a machine without Ray."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows
from autoft.errors import AutoftError, TrialError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.events import Status, TrialFinished, TrialReported
from autoft.interfaces.model import SHARED, Decision, FitData, Fitted, Model, Save, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Task

PATIENCE = 4
"""Evaluations without a better score after which a trial ends by itself, once they are also `PATIENT` percent of its horizon."""
PATIENT = 30
FEWEST_ROUNDS = 2
"""Of cross-validation, that judge a trial at least; where the time is short its fit of all rows comes before further ones."""

TRACEBACK = "error.txt"
"""In the folder of a trial that failed."""


def trial_seed(seed: int, number: int) -> int:
    """The seed of trial `number`: a function of the run's seed alone, whatever else ran before."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")


@dataclass
class TrialOutcome:
    """How a trial ended. `metrics` and `value` are its best; `busy_seconds` are core-seconds of this process, `shared_seconds` those of its
    `seconds` that further trials of its candidate will not need."""

    status: Status
    progress: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    seconds: float = 0.0
    busy_seconds: float = 0.0
    reason: str = ""
    shared_seconds: float = 0.0
    fitted: Fitted | None = field(default=None, repr=False)

    def told(self) -> dict[str, Any]:
        """All but the model, by the names that `TrialFinished` has for it."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "fitted"}

    @classmethod
    def of(cls, event: TrialFinished) -> TrialOutcome:
        """What was told by the event."""
        return cls(**{one.name: getattr(event, one.name) for one in fields(cls) if one.name != "fitted"})


class _Reporter:
    """The `Report` handed to a model: scores, keeps the best weights, writes the curve, asks whether to go on."""

    def __init__(
        self,
        spec: TrialSpec,
        data: FitData,
        task: Task,
        folder: Path,
        listen: Callable[[TrialReported], Decision],
        deadline: float | None,
        stop_file: Path | None,
        fixed_horizon: bool,
    ) -> None:
        self._spec, self._data, self._task, self._folder, self._listen = spec, data, task, folder, listen
        self._deadline, self._stop_file, self._fixed_horizon = deadline, stop_file, fixed_horizon
        self._targets = data.targets[data.validation]
        self._stale, self._best_at = 0, 0
        self.stopped = ""
        self.outcome = TrialOutcome("running")

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:
        problem = self._data.problem
        percent = min(100, max(1, round(progress * 100)))
        self.outcome.progress = percent
        self.outcome.shared_seconds += measures.get(SHARED, 0.0)
        metrics: dict[str, float] = {}
        if len(self._targets):
            refuse_diverged(outputs)
            decided = decisions(self._task, problem, outputs, self._targets, [(len(self._targets), extra or {})])
            metrics = self._task.score(problem, self._targets, decided)
            key = problem.metric.key(metrics[problem.metric.name])
            if self.outcome.value is None or key > problem.metric.key(self.outcome.value):
                self.outcome.metrics, self.outcome.value, self._stale = metrics, metrics[problem.metric.name], 0
                self._best_at = percent
                replace_folder(self._folder / "model", save)
                self._keep_outputs(outputs, self._data.validation)
            else:
                self._stale += 1
        decision = self._tell(percent, metrics, measures)
        if decision == "go" and self._stale >= PATIENCE and percent - self._best_at >= PATIENT:
            decision, self.outcome.reason = "stop", f"early stopping: {PATIENCE} evaluations without a better score"
        return "stop" if self.stop_requested() else decision

    def judge_rounds(self, progress: float, rounds: Sequence[_Round]) -> Decision:
        """An evaluation by all that the rounds of cross-validation so far have held out."""
        problem = self._data.problem
        rows = np.concatenate([one.rows for one in rounds])
        ends = np.cumsum([len(one.rows) for one in rounds])
        places = np.split(np.arange(len(rows)), ends[:-1])
        outputs = joined([(place, one.outputs) for place, one in zip(places, rounds, strict=True)], len(rows))
        targets = self._data.targets[rows]
        decided = decisions(self._task, problem, outputs, targets, [(len(one.rows), one.extra) for one in rounds])
        metrics = self._task.score(problem, targets, decided)
        self.outcome.progress = min(100, round(progress * 100))
        self.outcome.metrics, self.outcome.value = metrics, metrics[problem.metric.name]
        self._keep_outputs(outputs, rows)
        return self._tell(self.outcome.progress, metrics, rounds[-1].measures)

    def _tell(self, percent: int, metrics: dict[str, float], measures: dict[str, float]) -> Decision:
        if self._spec.peak and "flops_per_second" in measures:
            measures = {**measures, "utilisation": measures["flops_per_second"] / self._spec.peak}
        event = TrialReported(trial=self._spec.number, progress=percent, metrics=metrics, measures=measures)
        with (self._folder / "curve.jsonl").open("a", encoding="utf-8") as curve:
            curve.write(event.model_dump_json() + "\n")
        decision = self._listen(event)
        if decision not in ("go", "stop"):
            raise TypeError(f'the tuner\'s `listen` answered {decision!r}; a Decision is "go" or "stop"')
        if decision == "stop" and percent < 100:
            self.stopped = self.stopped or "stopped by the scheduler"
        return decision

    def _keep_outputs(self, outputs: Arrays, rows: Rows) -> None:
        aside = self._folder / "validation.new.npz"
        # Objects would be pickled: those there are, texts, are stored as strings.
        plain = {name: array.astype(np.str_) if array.dtype.hasobject else array for name, array in outputs.items()}
        arrays: dict[str, Any] = {"rows": rows, **plain}
        np.savez(aside, **arrays)
        aside.replace(self._folder / "validation.npz")

    def stop_requested(self) -> bool:
        if self.outcome.progress >= 100:
            return False  # there is nothing left to stop
        if not self.stopped and self._stop_file is not None and self._stop_file.exists():
            self.stopped = self._stop_file.read_text(encoding="utf-8").strip() or "stopped by the user"
        if not self.stopped and self._deadline is not None and time.time() >= self._deadline:
            self.stopped = "stopped by the budget"
        return bool(self.stopped)

    def seconds_left(self) -> float | None:
        return None if self._deadline is None or self._fixed_horizon else self._deadline - time.time()


def refuse_diverged(outputs: Arrays) -> None:
    """Raises TrialError where answers are no numbers: a task would take them for one class or another."""
    for name, array in outputs.items():
        lost = np.isnan(array) if np.issubdtype(array.dtype, np.floating) else np.zeros(0, dtype=bool)
        if lost.any():
            rows = int(lost.reshape(len(lost), -1).any(axis=1).sum())
            raise TrialError(f"it diverged: {name} of {rows} of {len(lost)} validation rows are no numbers", hint="a smaller learning rate")


class _Round:
    """The `Report` of one fit among several: of its evaluations only the last counts, since the best of many flatters on few rows.

    `left` fits, this one included, have to share the time there is; `folder` is where the weights go, None for nowhere.
    """

    def __init__(self, whole: _Reporter, rows: Rows, left: int, folder: Path | None) -> None:
        self._whole, self._left, self._folder = whole, left, folder
        self.rows = rows
        self.ended = False
        self.outputs: Arrays = {}
        self.extra: Arrays = {}
        self.measures: dict[str, float] = {}

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:
        self._whole.outcome.shared_seconds += measures.get(SHARED, 0.0)
        if progress >= 1:
            refuse_diverged(outputs)
            self.ended, self.outputs, self.extra, self.measures = True, outputs, extra or {}, measures
            if self._folder is not None:
                replace_folder(self._folder, save)
            return "go"  # it is over; whether another one begins is not asked here
        return "stop" if self.stop_requested() else "go"

    def stop_requested(self) -> bool:
        return self._whole.stop_requested()

    def seconds_left(self) -> float | None:
        left = self._whole.seconds_left()
        return None if left is None else left / self._left


def _cross_validated(model: Model, spec: TrialSpec, data: FitData, reporter: _Reporter, weights: Path) -> Fitted | None:
    """Fit once a fold, then all of `data.train`, where there is any: the weights are those of the last fit, or of the first fold while
    there are no others. Where the time is short, the last fit takes the place of folds behind `FEWEST_ROUNDS`: what learned from all rows,
    and to its end, is better, and known a little less well. None where it was stopped on the way."""
    whole = bool(len(data.train))
    fits = len(data.folds) + whole
    needed = FEWEST_ROUNDS if whole else len(data.folds)
    rounds: list[_Round] = []
    for train, held in data.folds:
        one = _Round(reporter, held, max(1, needed - len(rounds)) + whole, None if rounds else weights)
        began = time.monotonic()
        model.fit(spec, replace(data, train=train, validation=held, folds=()), one)
        if not one.ended:
            return None
        took = time.monotonic() - began
        rounds.append(one)
        if reporter.judge_rounds(len(rounds) / fits, rounds) == "stop" or reporter.stop_requested():
            return None
        left = reporter.seconds_left()
        short = left is not None and left < took * (1 + len(data.train) / len(train))
        if short and needed <= len(rounds) < len(data.folds):
            reporter.outcome.reason = f"judged by {len(rounds)} of {len(data.folds)} folds: the time was short"
            break
    if not whole:
        return None
    nothing = np.empty(0, dtype=np.int64)
    last = _Round(reporter, nothing, 1, weights)
    fitted = model.fit(spec, replace(data, validation=nothing, folds=()), last)
    if not last.ended:
        return None
    reporter.judge_rounds(1.0, rounds)
    return fitted


Extras = Sequence[tuple[int, Arrays]]
"""How many rows in turn were answered by a model whose `Fitted.extra` is this."""


def decisions(task: Task, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any], extras: Extras) -> npt.NDArray[Any]:
    """Decisions on rows that their decoder was not fitted on: it is fitted on each half of the rows, for the other."""
    number = np.repeat(np.arange(len(extras)), [rows for rows, _ in extras])
    half = np.arange(len(targets)) % 2 == 0
    made: list[npt.NDArray[Any]] = []
    places: list[npt.NDArray[np.int64]] = []
    for own in (half, ~half) if len(targets) > 1 else (half,):
        others = ~own
        fitted = {name: array[others] for name, array in outputs.items()}
        decoder = task.fit_decoder(problem, fitted, targets[others]) if others.any() else Decoder()
        for one, (_, extra) in enumerate(extras):
            mine = np.flatnonzero(own & (number == one))
            made.append(task.decide(problem, decoder.joined(extra), {name: array[mine] for name, array in outputs.items()}))
            places.append(mine)
    return np.concatenate(made)[np.argsort(np.concatenate(places))]


def replace_folder(folder: Path, save: Save) -> None:
    """Write aside, then rename: a folder by this name is always whole."""
    aside = folder.with_name(folder.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    save(aside)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def run_trial(
    spec: TrialSpec,
    data: FitData,
    model: Model,
    task: Task,
    folder: Path,
    *,
    listen: Callable[[TrialReported], Decision] = lambda _: "go",
    deadline: float | None = None,
    stop_file: Path | None = None,
    fixed_horizon: bool = False,
    verbose: bool = False,
) -> TrialOutcome:
    """Fit `spec` and leave spec.json, curve.jsonl, validation.npz and model/ (the best weights) in `folder`.

    `listen` hears each evaluation and answers "go" or "stop"; any other answer fails the trial, and the reason of one that it stops is
    "stopped by the scheduler". With `fixed_horizon` a model is not told of the deadline and cannot shorten its schedule. With `data.folds`
    the trial is cross-validated. Whatever a model raises becomes a failed outcome with its reason; only KeyboardInterrupt and SystemExit
    pass. The fitted model is in the outcome as it was when the last fit returned.
    """
    shutil.rmtree(folder, ignore_errors=True)  # what an attempt left that was cut off with its run
    folder.mkdir(parents=True, exist_ok=True)
    written = asdict(spec)
    written["candidate"] = spec.candidate.name
    (folder / "spec.json").write_text(json.dumps(written, indent=2, default=str) + "\n", encoding="utf-8")
    reporter = _Reporter(spec, data, task, folder, listen, deadline, stop_file, fixed_horizon)
    outcome = reporter.outcome
    started, cpu = time.monotonic(), time.process_time()
    try:
        if data.folds:
            outcome.fitted = _cross_validated(model, spec, data, reporter, folder / "model")
        else:
            outcome.fitted = model.fit(spec, data, reporter)
        outcome.status = "stopped" if reporter.stopped else "done"
        outcome.reason = reporter.stopped or outcome.reason
    except AutoftError as error:
        outcome.status, outcome.reason = ("stopped", reporter.stopped) if reporter.stopped else ("failed", error.message)
    except Exception as error:
        outcome.status, outcome.reason = "failed", f"{type(error).__name__}: {error}"
        import traceback

        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
        if verbose or os.environ.get("AUTOFT_DEBUG"):
            traceback.print_exc()
    outcome.seconds = time.monotonic() - started
    outcome.busy_seconds = time.process_time() - cpu
    return outcome
