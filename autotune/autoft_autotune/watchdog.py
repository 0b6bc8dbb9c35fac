"""Ends workers of which nothing is heard: a trial that hangs would keep its place until the search ends, or for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial

from autoft_autotune.book import Book
from autoft_autotune.wire import not_pickled

TIMES = 10
"""A trial that says nothing for so many times as long as a whole one is expected to take counts as hanging: trials report at least three
times, and a machine may become several times slower than it was."""

LEAST_SILENCE = 300.0
"""Seconds of silence that never count as hanging. Weights are loaded and data encoded before the first report, and to end a trial that only
starves is worse than to wait for one that hangs: where ten processes shared a core, trials of ten seconds were silent for 100."""

UNKNOWN_SILENCE = 1800.0
"""The same where nothing says how long a trial of the candidate takes."""

STALL = 5.0
"""Seconds. Where the driver itself stood still for longer, what workers said meanwhile has not been read yet."""


def allowed_silence(given: float | None, expected: float | None) -> float:
    """Seconds: `given` by the user, else by the seconds that a trial is `expected` to take."""
    if given is not None:
        return given
    return UNKNOWN_SILENCE if expected is None else max(LEAST_SILENCE, TIMES * expected)


class Watchdog(Callback):  # type: ignore[misc, unused-ignore]
    """`running` holds Ray's trials that have a worker, `allowed` gives the seconds of silence by a candidate's name."""

    def __init__(self, book: Book, running: Mapping[str, Trial], allowed: Callable[[str], float]) -> None:
        self._book, self._running, self._allowed = book, running, allowed
        self._looked: float | None = None

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self._looked is not None and now - self._looked > STALL:
            self._book.forgive(now - self._looked)
        self._looked = now
        for trial_id, trial in self._running.items():
            entry = self._book[trial_id]
            silent = now - entry.heard
            actor = trial.temporary_state.ray_actor
            if entry.status == "running" and actor is not None and silent > self._allowed(entry.candidate):
                self._book.end(trial_id, "failed", f"nothing was heard of it for {silent:.0f} s: it counts as hanging, and was ended")
                ray.kill(actor)

    __reduce__ = not_pickled
