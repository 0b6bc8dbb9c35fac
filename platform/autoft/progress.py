"""The state of a run as its events tell it, and the words in which it is told."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoft.history import read_events
from autoft.interfaces.events import (
    Event,
    RunFailedEvent,
    RunFinished,
    RunResumed,
    RunStarted,
    SourcesRanked,
    StageStarted,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from autoft.interfaces.problem import Metric
from autoft.leaderboard import ALL_ROWS

STAGES = {
    "baselines": "Baselines: cheap models that every other is held against",
    "ranking": "Ranking: what the sources tell of the labels before they are tuned",
    "first points": "First points: settings of each model that are known to do well",
    "search": "Search: settings that follow from what was learned so far",
    ALL_ROWS: "All rows: the best of the search learn again, from all training rows",
    "confirmation": "Confirmation: the best ones learn again from other splits of the rows",
    "refit": "Refit: the winner learns again, from all rows that are not test",
    "averaging": "Averaging: the mean of the weights of one candidate's best trials",
    "distillation": "Distillation: a smaller model learns from the winner's answers",
    "export and proof": "Export and proof: writing the model for production, and comparing its answers with the trained one's",
    "test": "Test: one look at the rows that no choice was made on",
    "outlook": "Outlook: learning again from fewer rows, to tell whether more would help",
}

_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_SHORT = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "weight_decay": "decay",
    "warmup_ratio": "warmup",
    "num_epochs": "epochs",
    "max_length": "length",
}


@dataclass
class TrialView:
    """A trial as it is shown. `value` is its figure of the run's metric, `progress` in percent, times since the epoch; `rows` how many it
    learned from, where these were a part of the training rows."""

    number: int
    candidate: str
    hyperparameters: Mapping[str, Any]
    stage: str
    started: float
    status: str = "running"
    progress: int = 0
    value: float | None = None
    seconds: float | None = None
    reason: str = ""
    rows: int | None = None


@dataclass
class Progress:
    """What is known so far. `metric` is empty until the run has started."""

    run: RunStarted | RunResumed | None = None
    metric: Metric = field(default_factory=lambda: Metric(name=""))
    started: float | None = None
    status: str = "running"
    stage: str = ""
    note: str = ""
    trials: dict[int, TrialView] = field(default_factory=dict)
    _settled: bool = False

    def take(self, event: Event) -> None:
        """Bring the state up to date."""
        if isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, RunResumed):
            self._go_on(event)
        elif isinstance(event, StageStarted):
            self.stage, self.note = event.stage, event.note
        elif isinstance(event, TrialStarted):
            self.trials[event.trial] = TrialView(event.trial, event.candidate, event.hyperparameters, event.stage, event.time)
        elif isinstance(event, TrialReported):
            trial = self.trials.get(event.trial)
            if trial is not None:
                trial.progress = event.progress
                trial.value = self._better(trial.value, event.metrics.get(self.metric.name))
        elif isinstance(event, TrialFinished):
            self._finish(event)
        elif isinstance(event, RunFinished | RunFailedEvent):
            self.status = event.status

    def _go_on(self, event: RunResumed) -> None:
        """What was told before is read where it was not heard; a trial that had not ended is shown when it is begun again."""
        if self.run is None:
            for past in read_events(Path(event.folder) / "events.jsonl"):
                if isinstance(past, RunResumed) and past.time == event.time:
                    break
                self.take(past)
        self._start(event)
        self.started = event.started - event.spent
        self.status, self.stage, self.note = "running", "", ""
        self.trials = {number: trial for number, trial in self.trials.items() if trial.status != "running"}

    def _start(self, event: RunStarted | RunResumed) -> None:
        facts = _facts(Path(event.folder) / "run.json")
        started = facts.get("started")
        self.run = event
        self.started = float(started) if isinstance(started, int | float) and started <= event.time else event.time
        metric = facts.get("problem", {}).get("metric", {}) if isinstance(facts.get("problem"), dict) else {}
        greater = metric.get("greater_is_better") if isinstance(metric, dict) else None
        self.metric = Metric(name=event.metric, greater_is_better=greater is not False)

    def _finish(self, event: TrialFinished) -> None:
        self._settled = self._settled or (event.stage == ALL_ROWS and event.status == "done" and event.value is not None)
        known = self.trials.get(event.trial)
        started = known.started if known else event.time - event.seconds
        self.trials[event.trial] = TrialView(
            event.trial,
            event.candidate,
            event.hyperparameters,
            event.stage,
            started,
            event.status,
            event.progress,
            event.value,
            event.seconds,
            event.reason,
            event.rows,
        )

    def _better(self, old: float | None, new: float | None) -> float | None:
        if new is None or old is None:
            return old if new is None else new
        return new if self.metric.key(new) > self.metric.key(old) else old

    def running(self) -> list[TrialView]:
        """By number."""
        return sorted((t for t in self.trials.values() if t.status == "running"), key=lambda t: t.number)

    def ranked(self) -> list[TrialView]:
        """The trials that ended with a score, best first, as `Leaderboard.contenders` has them: a stopped one may be the best there is."""
        return sorted(self._ended(), key=self._place)

    def best(self) -> TrialView | None:
        """The first of `ranked`, without the work of putting the others in order."""
        return min(self._ended(), key=self._place, default=None)

    def _ended(self) -> list[TrialView]:
        return [t for t in self.trials.values() if t.status in ("done", "stopped") and t.value is not None]

    def _place(self, trial: TrialView) -> tuple[bool, float, int]:
        return (self._settled and trial.rows is not None, -self.metric.key(trial.value or 0.0), trial.number)

    def counts(self) -> dict[str, int]:
        """Trials by status, those that are zero left out."""
        found = {status: sum(t.status == status for t in self.trials.values()) for status in ("running", "done", "stopped", "failed")}
        return {status: number for status, number in found.items() if number}

    def left(self, now: float) -> float | None:
        """Seconds of the budget; None without one."""
        if self.run is None or self.run.budget is None or self.started is None:
            return None
        return max(0.0, self.started + self.run.budget - now)


def of_rows(rows: int | None) -> str:
    """What stands behind the status of a trial that learned from a part of the rows."""
    return "" if rows is None else f" of {rows:,} rows"


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def plain(text: object) -> str:
    """`text` on one line, without control characters or marks that turn the direction of what follows."""
    clean = ["" if c in _TURNING else " " if unicodedata.category(c) in ("Cc", "Cs") else c for c in str(text)]
    return " ".join("".join(clean).split())


def short(hyperparameters: Mapping[str, Any]) -> str:
    """`lr 1e-4, batch 16, epochs 3`."""
    return ", ".join(f"{_SHORT.get(name, plain(name))} {number(value)}" for name, value in hyperparameters.items())


def example_inputs(columns: object) -> str:
    """What stands after `autoft predict BUNDLE` for a model of these columns by role."""
    roles = columns if isinstance(columns, Mapping) else {}
    if "text" not in roles:
        return "--input new.csv --output answers.csv"
    return '"a text" "another text"' if "text_pair" in roles else '"a text"'


def number(value: Any) -> str:
    """A value for the eye: two significant digits for small and for large floats."""
    if isinstance(value, bool) or not isinstance(value, float):
        return plain(value)
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    text = f"{value:.1e}".replace(".0e", "e") if abs(value) < 0.001 else f"{value:.3g}"
    head, exponent, tail = text.partition("e")
    return f"{head}e{int(tail)}" if exponent else text


def ranking_line(event: SourcesRanked) -> str:
    """The sources with their scores, in one line; behind a bar those that are passed over."""
    parts = [f"{plain(one.source)} {figure(one.score)}" for one in event.ranking if one.tuned]
    rest = [f"{plain(one.source)} {figure(one.score)}" for one in event.ranking if not one.tuned]
    rows = max((one.rows for one in event.ranking), default=0)
    return f"ranked by {plain(event.measure)} on {rows} rows: {', '.join(parts)}" + (f" | not tuned: {', '.join(rest)}" if rest else "")


def figure(value: float | None) -> str:
    """A metric's value."""
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.5g}"


def duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m 05s`, `1h 02m`."""
    if seconds != seconds or seconds in (float("inf"), float("-inf")):
        return "-"
    if 0 < seconds < 0.95:
        return f"{seconds:.1f}s"
    seconds = max(0.0, seconds)
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
