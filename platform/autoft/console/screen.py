"""A run as it happens."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from autoft.console.board import board
from autoft.console.lines import clock, going_on, left_off, opening, remark, stage_begun, trial_ended, trial_reported
from autoft.console.output import as_json, console_for, is_terminal, write_line
from autoft.console.result import show_result
from autoft.interfaces.events import (
    Event,
    Remark,
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
from autoft.progress import Progress, TrialView, plain, ranking_line, short

REPORT_EVERY = 10.0
"""Seconds between two plain lines about the same trial."""


class Screen:
    """Shows a run as it happens: a live table on a terminal, one plain line for each thing that happens elsewhere.

    With `json` standard output gets result.json and nothing else; the rest goes to standard error. A context manager.
    `event` never raises, whatever the event: what cannot be shown is left out.
    """

    def __init__(
        self, verbose: bool = False, json: bool = False, stream: TextIO | None = None, *, width: int | None = None, live: bool | None = None
    ) -> None:
        self._verbose, self._json = verbose, json
        self._stdout = sys.stdout
        self._stream = stream or (sys.stderr if json else sys.stdout)
        self._console = console_for(self._stream, width)
        terminal = is_terminal(self._stream) and not self._console.is_dumb_terminal
        self._terminal = terminal if live is None else live
        self._lock = threading.RLock()
        self._progress = Progress()
        self._live: Live | None = None
        self._stack = ExitStack()
        self._last_line: dict[int, float] = {}
        self._first: float | None = None
        self._troubled = False

    def __enter__(self) -> Screen:
        if self._terminal:
            self._live = Live(_Deferred(self), console=self._console, refresh_per_second=4, transient=True, vertical_overflow="crop")
            self._stack.enter_context(self._live)
        if self._json:  # a stray print of a library must not come before the result
            self._stack.enter_context(redirect_stdout(sys.stderr))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError, ValueError):
            self._stack.close()
        self._live = None

    def event(self, event: Event) -> None:
        """Show one event of the stream."""
        try:
            with self._lock:
                best = self._progress.best() if self._live is None and isinstance(event, TrialFinished) else None
                self._progress.take(event)
                lines = [] if self._live is not None else self._timed_lines(event, best)
            # Printed without the lock: the live display holds its own while it asks for the table, which needs this one.
            if self._live is not None:
                self._tell_terminal(event)
            for line in lines:
                self._write(line)
        except (BrokenPipeError, ValueError):  # nobody reads any more, or the stream is closed
            return
        except Exception as error:
            # The run is worth more than its display; the trouble is told once.
            if not self._troubled:
                self._troubled = True
                with suppress(Exception):
                    self._say(Text(f"Warning: the display met what it cannot show: {plain(repr(error))}"))

    def _timed_lines(self, event: Event, best_before: TrialView | None) -> list[str]:
        self._first = event.time if self._first is None else self._first
        start = self._progress.started or self._first
        return [f"{clock(event.time - start):>6}  {line}" for line in self._lines(event, best_before)]

    def _tell_terminal(self, event: Event) -> None:
        if isinstance(event, Remark):
            self._say(remark(event))
        elif isinstance(event, SourcesRanked):
            self._say(Text(ranking_line(event)))
        elif isinstance(event, RunStarted):
            self._say(Text(opening(event), style="bold"))
        elif isinstance(event, RunFailedEvent):
            self._say(Text(left_off(event, self._progress.run)))
        elif isinstance(event, RunResumed):
            self._say(Text(going_on(event, len(self._progress.trials)), style="bold"))
        elif isinstance(event, TrialFinished) and event.status == "failed":
            self._say(Text(f"trial {event.trial}, {plain(event.candidate)}, failed: {plain(event.reason)}", style="red"))
        elif isinstance(event, TrialReported) and self._verbose:
            self._say(Text(trial_reported(event, self._progress.metric.name), style="dim"))

    def _lines(self, event: Event, best_before: TrialView | None) -> Iterable[str]:
        metric = self._progress.metric.name
        if isinstance(event, RunStarted):
            yield opening(event)
        elif isinstance(event, RunResumed):
            yield going_on(event, len(self._progress.trials))
        elif isinstance(event, StageStarted):
            yield stage_begun(event.stage, event.note)
        elif isinstance(event, Remark):
            yield remark(event).plain
        elif isinstance(event, SourcesRanked):
            yield ranking_line(event)
        elif isinstance(event, TrialStarted):
            self._last_line[event.trial] = event.time
            yield f"trial {event.trial} started: {plain(event.candidate)} ({short(event.hyperparameters)})"
        elif isinstance(event, TrialReported):
            if self._verbose or event.time - self._last_line.get(event.trial, 0.0) >= REPORT_EVERY:
                self._last_line[event.trial] = event.time
                yield trial_reported(event, metric)
        elif isinstance(event, TrialFinished):
            best = self._progress.best()
            is_best = best is not None and best.number == event.trial and (best_before is None or best_before.number != event.trial)
            yield trial_ended(event, metric) + (" - best so far" if is_best else "")
        elif isinstance(event, RunFailedEvent):
            yield left_off(event, self._progress.run)
        elif isinstance(event, RunFinished):
            yield f"run {event.status}"

    def _say(self, text: Text) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=False)
        else:
            self._write(text.plain)

    def _write(self, line: str) -> None:
        write_line(self._stream, line)

    # The live table

    def renderable(self) -> RenderableType:
        """What stands on the terminal now."""
        with self._lock:
            return board(self._progress, self._console, time.time())

    def show_result(self, result: Mapping[str, Any], leaderboard: Iterable[TrialFinished] = (), folder: Path | None = None) -> None:
        """The end of a run: verdict, leaderboard, what was left where, what to do next; with `json` the result alone."""
        if self._json:
            write_line(self._stdout, as_json(result, self._stdout))
            return
        run = self._progress.run
        folder = folder or (Path(run.folder) if run else None)
        show_result(result, leaderboard, folder, stream=self._stream, width=self._console.width if self._terminal else None)


class _Deferred:
    """Renders the screen's state at each refresh."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __rich__(self) -> RenderableType:
        try:
            return self._screen.renderable()
        except Exception as error:
            return Text(f"(the table cannot be shown: {plain(repr(error))})")
