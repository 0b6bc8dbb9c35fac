"""How far a file of answers is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from autoft.console.output import console_for, is_terminal, write_line
from autoft.progress import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY = 30.0
"""Seconds between two lines of a log."""


class Filling:
    """A context manager on standard error. `total` is about how many rows there will be, where that is known; `done` are there already."""

    def __init__(self, total: int | None, done: int = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total, self._done, self._before = total, done, done
        self._live = is_terminal(self._stream)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Filling:
        self._started = self._told = time.monotonic()
        if self._live:
            self._progress = _bar(self._stream)
            self._task = self._progress.add_task("", total=self._total, completed=self._done, rate="", left="")
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, rows: int) -> None:
        """So many rows more are there."""
        self._done += rows
        now = time.monotonic()
        rate = (self._done - self._before) / max(now - self._started, 1e-9)
        speed = f"{rate:,.0f} rows a second"
        left = "" if self._total is None else f"{duration(max(0, self._total - self._done) / max(rate, 1e-9))} left"
        if self._progress is not None and self._task is not None:
            total = None if self._total is None else max(self._total, self._done)
            self._progress.update(self._task, completed=self._done, total=total, rate=speed, left=left)
        elif now - self._told >= LINE_EVERY:
            self._told = now
            of = "" if self._total is None else f" of about {self._total:,}"
            write_line(self._stream, f"{self._done:,}{of} rows, {', '.join(part for part in (speed, left) if part)}")


def _bar(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.completed:,} rows"),
        TextColumn("{task.fields[rate]}"),
    )
    return Progress(*columns, TextColumn("{task.fields[left]}"), console=console_for(stream), transient=True, refresh_per_second=4)
