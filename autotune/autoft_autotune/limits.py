"""When a search ends: the deadline, the stop file, the GPU hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from autoft_autotune.book import Book
from autoft_autotune.resources import Plan


class Limits:
    """Asked before each trial and between results. All times are on `time.time()`."""

    def __init__(
        self,
        deadline: float | None,
        stop_file: Path,
        gpu_hours: float | None,
        plan: Plan,
        book: Book,
        later: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._deadline, self._stop_file, self._book, self._later = deadline, stop_file, book, later
        # What all slots together use up in a second; without GPUs their hours have no meaning.
        self._gpu_rate = plan.concurrency * plan.gpus
        self._gpu_seconds = gpu_hours * 3600 if gpu_hours is not None and self._gpu_rate else None

    @property
    def clock(self) -> bool:
        """Whether a choice may depend on time."""
        return self._deadline is not None or self._gpu_seconds is not None

    def deadline(self) -> float | None:
        """By which a trial that starts now must end. Such deadlines never fall, and all slots together cannot outspend the GPU hours."""
        if self._deadline is not None:
            self._deadline = max(self._deadline, self._later() or 0.0)
        if self._gpu_seconds is None:
            return self._deadline
        gpu = time.time() + (self._gpu_seconds - self._book.gpu_seconds()) / self._gpu_rate
        return gpu if self._deadline is None else min(gpu, self._deadline)

    def seconds_left(self) -> float | None:
        deadline = self.deadline()
        return None if deadline is None else deadline - time.time()

    def ended(self) -> str:
        """Why nothing may run on, or ""."""
        if self._stop_file.exists():
            return self._stop_file.read_text(encoding="utf-8").strip() or "stopped by the user"
        left = self.seconds_left()
        return "stopped by the budget" if left is not None and left <= 0 else ""
