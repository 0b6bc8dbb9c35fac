"""What is known of the trials of a search, and the events told of them. No Ray in here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autoft.interfaces.events import Event, Status, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.problem import Metric
from autoft.interfaces.space import Hyperparameters
from autoft.trial import TrialOutcome
from autoft_autotune.wire import not_pickled


@dataclass
class Entry:
    """One trial as the driver sees it. `value` and `metrics` are its best so far; something was `heard` of it last at that time on
    `time.monotonic()`."""

    number: int
    candidate: str
    hyperparameters: Hyperparameters
    status: Status = "running"
    reason: str = ""
    progress: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    seconds: float = 0.0
    busy_seconds: float = 0.0
    shared_seconds: float = 0.0
    started: float | None = None
    heard: float = 0.0


class Book:
    """Entries by Ray's trial id. Each trial that starts gets exactly one TrialFinished, whatever happens to it, unless its run is left."""

    def __init__(self, metric: Metric, on_event: Callable[[Event], None], gpus: float = 0.0) -> None:
        self._metric, self._tell, self._gpus = metric, on_event, gpus
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, Entry] = {}
        self._gpu_seconds = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, trial_id: str) -> Entry:
        return self._entries[trial_id]

    def __contains__(self, trial_id: object) -> bool:
        return trial_id in self._entries

    def key(self, entry: Entry) -> float | None:
        """The best score, greater is better."""
        return None if entry.value is None else self._metric.key(entry.value)

    def open(self, trial_id: str, entry: Entry) -> None:
        self._entries[trial_id] = self._live[trial_id] = entry

    def live(self) -> list[tuple[str, Entry]]:
        """Trials that were asked for and have not ended."""
        return list(self._live.items())

    def gpu_seconds(self) -> float:
        """Seconds of all trials so far, times their share of a GPU."""
        now = time.time()
        running = sum(now - entry.started for _, entry in self.live() if entry.started is not None)
        return self._gpu_seconds + running * self._gpus

    def start(self, trial_id: str) -> None:
        entry = self._entries[trial_id]
        if entry.started is None:
            entry.started, entry.heard = time.time(), time.monotonic()
            self._tell(TrialStarted(trial=entry.number, candidate=entry.candidate, hyperparameters=entry.hyperparameters))

    def report(self, trial_id: str, event: TrialReported, seconds: float, busy_seconds: float) -> None:
        """An evaluation, `seconds` after the trial began."""
        entry = self._entries[trial_id]
        entry.progress, entry.seconds, entry.busy_seconds, entry.heard = event.progress, seconds, busy_seconds, time.monotonic()
        value = event.metrics.get(self._metric.name)
        if value is not None and (entry.value is None or self._metric.key(value) > self._metric.key(entry.value)):
            entry.value, entry.metrics = value, dict(event.metrics)
        self._tell(event)

    def settle(self, trial_id: str, outcome: TrialOutcome) -> None:
        """The trial's own account of how it ended; `finish` tells of it."""
        entry = self._entries[trial_id]
        for name, value in outcome.told().items():
            setattr(entry, name, value)

    def end(self, trial_id: str, status: Status, reason: str) -> None:
        """How a trial ended that cannot say so itself any more; what it said first stands."""
        entry = self._entries[trial_id]
        if entry.status == "running":
            entry.status, entry.reason = status, reason
            if entry.started is not None and status != "stopped":
                entry.seconds = time.time() - entry.started

    def explain(self, trial_id: str, reason: str) -> None:
        """Why a trial failed, where nothing else is known."""
        entry = self._entries[trial_id]
        self.end(trial_id, "failed", reason)
        entry.reason = entry.reason or reason

    def finish(self, trial_id: str) -> None:
        """Tell of the end, once."""
        entry = self._entries[trial_id]
        if trial_id not in self._live:
            return
        self.start(trial_id)
        self.close(trial_id)
        self._tell(
            TrialFinished(
                trial=entry.number,
                candidate=entry.candidate,
                status=entry.status,
                progress=entry.progress,
                metrics=entry.metrics,
                value=entry.value,
                seconds=entry.seconds,
                hyperparameters=entry.hyperparameters,
                reason=entry.reason,
                busy_seconds=entry.busy_seconds,
                shared_seconds=entry.shared_seconds,
            )
        )

    def close(self, trial_id: str) -> None:
        """The trial has ended, which was told before or is to be told by nobody."""
        entry = self._live.pop(trial_id)
        self._gpu_seconds += entry.seconds * self._gpus

    def withdraw(self, trial_id: str) -> None:
        """A trial that was asked for and never began is as if it had not been asked for."""
        del self._entries[trial_id], self._live[trial_id]

    def forgive(self, seconds: float) -> None:
        """The silence of the last `seconds` was not the workers'."""
        for _, entry in self.live():
            entry.heard += seconds

    __reduce__ = not_pickled
