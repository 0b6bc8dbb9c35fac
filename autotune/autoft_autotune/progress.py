"""Ray Tune's callbacks turned into events, and what ends trials that do not end by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback

from autoft_autotune.book import Book
from autoft_autotune.faults import Deaths
from autoft_autotune.limits import Limits
from autoft_autotune.wire import is_outcome, not_pickled, read_result

GRACE_SECONDS = 2.0
"""How long trials have to return once the search has ended; then their workers are killed."""


class EventCallback(Callback):  # type: ignore[misc, unused-ignore]
    """Fills the book, which tells the events. `running` holds Ray's trials that have a worker."""

    def __init__(self, book: Book) -> None:
        self._book, self._deaths = book, Deaths()
        self.running: dict[str, Trial] = {}

    def failure(self, trial_id: str) -> str:
        """Why a trial failed that had a worker; "" for one that had none."""
        return self._deaths.reason(self.running[trial_id]) if trial_id in self.running else ""

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ARG002
        self.running[trial.trial_id] = trial
        self._book.start(trial.trial_id)

    def on_trial_result(self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any) -> None:  # noqa: ARG002
        if not is_outcome(result):
            step = read_result(result)
            if step.report is not None:
                self._book.report(trial.trial_id, step.report, step.seconds, step.busy_seconds)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ARG002
        self.running.pop(trial.trial_id, None)
        self._book.finish(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ARG002
        self.running.pop(trial.trial_id, None)
        if trial.trial_id in self._book:  # else it never began and is ordered again
            self._book.explain(trial.trial_id, self._deaths.reason(trial))
            self._book.finish(trial.trial_id)

    __reduce__ = not_pickled


class Backstop(Stopper):  # type: ignore[misc, unused-ignore]
    """Ends the search some seconds after its limits are reached; in time, trials end by themselves in `run_trial`, where the workers are
    on other machines once they hear of it by `stop`."""

    def __init__(self, limits: Limits, book: Book, callback: EventCallback, stop: Callable[[str], None] = lambda _: None) -> None:
        self._limits, self._book, self._callback, self._stop = limits, book, callback, stop
        self._since: float | None = None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        reason = self._limits.ended()
        if not reason:
            return False
        if self._since is None:
            self._since = time.monotonic()
            self._stop(reason)
        if time.monotonic() - self._since < GRACE_SECONDS:
            return False
        for trial_id, trial in self._callback.running.items():
            self._book.end(trial_id, "stopped", reason)
            if trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)
        return True

    __reduce__ = not_pickled


class _NoLogs:
    """Ray adds its own loggers unless they are there: files that nobody reads, and an import of TensorBoard that costs seconds."""

    def __init__(self) -> None:
        pass

    def log_trial_start(self, trial: Trial) -> None:
        pass

    def log_trial_restore(self, trial: Trial) -> None:
        pass

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        pass

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        pass

    __reduce__ = not_pickled


class _NoTensorBoard(_NoLogs, TBXLoggerCallback):  # type: ignore[misc, unused-ignore]
    pass


class _NoCsv(_NoLogs, CSVLoggerCallback):  # type: ignore[misc, unused-ignore]
    pass


class _NoJson(_NoLogs, JsonLoggerCallback):  # type: ignore[misc, unused-ignore]
    pass


def no_loggers() -> list[Callback]:
    """Stand-ins for the loggers that Ray would add and that this project has no use for."""
    return [_NoTensorBoard(), _NoCsv(), _NoJson()]
