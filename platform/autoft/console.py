"""What the user sees: the only module that prints."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console, ConsoleRenderable, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoft.data.names import counted
from autoft.errors import AutoftError
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
from autoft.interfaces.problem import Metric
from autoft.progress import STAGES, Progress, TrialView, duration, example_inputs, figure, number, plain, ranking_line, short

REPORT_EVERY = 10.0
"""Seconds between two plain lines about the same trial."""
TOP = 5
"""Ended trials in the live table."""
CLASSES, BAR = 20, 30
"""Classes that `autoft check` draws, and the width of the longest bar."""
SHOWN = 10
"""Rows of the final leaderboard."""

_STYLES = {"running": "cyan", "done": "green", "stopped": "yellow", "failed": "red", "aborted": "red"}


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
        self._console = _console(self._stream, width)
        terminal = _is_terminal(self._stream) and not self._console.is_dumb_terminal
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
                best = self._progress.best()
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
        return [f"{_clock(event.time - start):>6}  {line}" for line in self._lines(event, best_before)]

    def _tell_terminal(self, event: Event) -> None:
        if isinstance(event, Remark):
            self._say(_remark(event))
        elif isinstance(event, SourcesRanked):
            self._say(Text(ranking_line(event)))
        elif isinstance(event, RunStarted):
            self._say(Text(_opening(event), style="bold"))
        elif isinstance(event, RunFailedEvent):
            self._say(Text(_left(event, self._progress.run)))
        elif isinstance(event, RunResumed):
            self._say(Text(_going_on(event, len(self._progress.trials)), style="bold"))
        elif isinstance(event, TrialFinished) and event.status == "failed":
            self._say(Text(f"trial {event.trial}, {plain(event.candidate)}, failed: {plain(event.reason)}", style="red"))
        elif isinstance(event, TrialReported) and self._verbose:
            self._say(Text(_reported(event, self._progress.metric.name), style="dim"))

    def _lines(self, event: Event, best_before: TrialView | None) -> Iterable[str]:
        metric = self._progress.metric.name
        if isinstance(event, RunStarted):
            yield _opening(event)
        elif isinstance(event, RunResumed):
            yield _going_on(event, len(self._progress.trials))
        elif isinstance(event, StageStarted):
            yield _stage(event.stage, event.note)
        elif isinstance(event, Remark):
            yield _remark(event).plain
        elif isinstance(event, SourcesRanked):
            yield ranking_line(event)
        elif isinstance(event, TrialStarted):
            self._last_line[event.trial] = event.time
            yield f"trial {event.trial} started: {plain(event.candidate)} ({short(event.hyperparameters)})"
        elif isinstance(event, TrialReported):
            if self._verbose or event.time - self._last_line.get(event.trial, 0.0) >= REPORT_EVERY:
                self._last_line[event.trial] = event.time
                yield _reported(event, metric)
        elif isinstance(event, TrialFinished):
            best = self._progress.best()
            is_best = best is not None and best.number == event.trial and (best_before is None or best_before.number != event.trial)
            yield _finished(event, metric) + (" - best so far" if is_best else "")
        elif isinstance(event, RunFailedEvent):
            yield _left(event, self._progress.run)
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
            return _board(self._progress, self._console, time.time())

    def show_result(self, result: Mapping[str, Any], leaderboard: Iterable[TrialFinished] = (), folder: Path | None = None) -> None:
        """The end of a run: verdict, leaderboard, what was left where, what to do next; with `json` the result alone."""
        if self._json:
            write_line(self._stdout, _as_json(result, self._stdout))
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


def show_error(error: AutoftError, stream: TextIO | None = None) -> None:
    """The message and its hint, on standard error."""
    stream = stream or sys.stderr
    lines = [line for line in _kept_lines(error.message) if line.strip()] or [type(error).__name__]
    said = [Text("Error: ", style="bold red").append(lines[0], style="default not bold")]
    said += [Text(line) for line in lines[1:]]
    if error.hint:
        said.append(Text("Hint: ", style="bold").append(plain(error.hint), style="default not bold"))
    _print(stream, said)


def show_leaderboard(
    rows: Iterable[TrialFinished], metric: str | Metric, *, limit: int = SHOWN, stream: TextIO | None = None, width: int | None = None
) -> None:
    """The trials as they come, best first; the first with a score is marked."""
    name = metric if isinstance(metric, str) else metric.name
    stream = stream or sys.stdout
    _print(stream, _leaderboard(list(rows), name, limit, _console(stream, width).width), width)


def show_result(
    result: Mapping[str, Any],
    leaderboard: Iterable[TrialFinished] = (),
    folder: Path | None = None,
    *,
    stream: TextIO | None = None,
    width: int | None = None,
) -> None:
    """The final summary for the eye."""
    metric = plain(result.get("metric", ""))
    stream = stream or sys.stdout
    parts: list[ConsoleRenderable] = [Text("")]
    parts += _leaderboard(list(leaderboard), metric, SHOWN, _console(stream, width).width)
    parts += [Text(""), Text("Verdict: ", style="bold").append(plain(result.get("verdict", "none")), style="default not bold")]
    proof = _proof(result.get("verified"))
    if proof:
        parts += [Text(""), Text("Proof: ", style="bold").append(proof, style="default not bold")]
    if folder is not None:
        parts += [Text(""), *_places(_near(folder), result), Text(""), *_next_commands(_near(folder), result)]
    _print(stream, parts, width)


def show_check(understood: Mapping[str, Any], *, stream: TextIO | None = None, width: int | None = None) -> None:
    """What `autoft check` found; `understood` is its JSON."""
    stream = stream or sys.stdout
    rows, parts = understood["rows"], understood["splits"]
    left_out = f", {rows['left_out']} left out" if rows["left_out"] else ""
    sizes = [f"{many} {part}" for part, many in parts.items() if many]
    folds = f"; cross-validated, {understood['folds']} folds" if understood["folds"] else ""
    facts = {
        "Task": understood["task"],
        "Why": understood["reason"].partition("; not used")[0],
        "Columns": ", ".join(f"{role} = {' + '.join(map(repr, names))}" for role, names in understood["columns"].items()),
        "Not used": ", ".join(map(repr, understood["not_used"])),
        "Rows": f"{rows['used']} used{left_out}: " + ", ".join(sizes) + folds,
        "Lengths": "; ".join(_lengths(role, found) for role, found in understood["lengths"].items()),
        "Language": understood["language"] or "not recognised",
        "Judged by": understood["metric"] + (f": {understood['metric_meaning']}" if understood["metric_meaning"] else ""),
        "Numbers": ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in understood["numbers"].items()),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="bold"), Text(plain(value)))
    said: list[ConsoleRenderable] = [table]
    if understood["classes"]:
        said += [Text(""), *_class_chart(understood["classes"], understood["classes_in_words"], _console(stream, width))]
    said += [Text("")] if understood["warnings"] or understood["notes"] else []
    said += [Text("Warning: ", style="bold yellow").append(plain(line), style="default not bold") for line in understood["warnings"]]
    said += [Text("Note: ", style="bold").append(plain(line), style="default not bold") for line in understood["notes"]]
    others = [f"  {one['flags']}  ({one['reason'].partition('; not used')[0]})" for one in understood["others"]]
    if others:
        said += [Text(""), Text("It could be read otherwise:", style="bold"), *(Text("  " + plain(line.strip())) for line in others)]
    said += [Text(""), Text("Next:", style="bold"), Text(f"  {plain(understood['command'])}", no_wrap=True, overflow="fold")]
    _print(stream, said, width)


def _lengths(role: str, found: Mapping[str, float]) -> str:
    return f"{role} has {found['mean']:.0f} characters on average, {found['longest']} at most"


def _class_chart(counts: Mapping[str, int], heading: str, console: Console) -> list[ConsoleRenderable]:
    """A bar a class, the largest first."""
    mark = "█" if (console.encoding or "").lower().startswith("utf") else "#"
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    most = max(1, ordered[0][1])
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=40, overflow="ellipsis", no_wrap=True)
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    for name, many in ordered[:CLASSES]:
        table.add_row(Text(plain(name)), str(many), Text(mark * max(1 if many else 0, round(BAR * many / most)), style="cyan"))
    parts: list[ConsoleRenderable] = [Text(plain(heading), style="bold"), table]
    if len(ordered) > CLASSES:
        rest = [many for _, many in ordered[CLASSES:]]
        parts.append(Text(f"and {len(rest)} more with {min(rest)} to {max(rest)} each", style="dim"))
    return parts


def show_runs(rows: Iterable[Mapping[str, str]], stream: TextIO | None = None) -> None:
    """One line a run; `rows` have run, started, status, time and best."""
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold")
    for name in ("run", "started", "status"):
        table.add_column(name, no_wrap=True, overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("best", no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [Text(plain(row.get(name, ""))) for name in ("run", "started", "status", "time", "best")]
        cells[2].stylize(_STYLES.get(row.get("status", ""), ""))
        table.add_row(*cells)
    _print(stream or sys.stdout, [table])


# Pieces


def _leaderboard(rows: list[TrialFinished], metric: str, limit: int, width: int) -> list[ConsoleRenderable]:
    if not rows:
        return []
    # Widths are reckoned here: left to itself the table takes room from the figures before it takes it from the settings.
    candidate = min(max(len("candidate"), *(len(plain(row.candidate)) for row in rows[:limit])), 30)
    score = max(6, min(12, len(metric)))
    settings = max(8, width - (4 + candidate + 7 + score + 6 + 5))
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold", expand=False)
    table.add_column("rank", justify="right", no_wrap=True, width=4)
    table.add_column("candidate", no_wrap=True, overflow="ellipsis", width=candidate)
    table.add_column("settings", overflow="ellipsis", no_wrap=True, max_width=settings, style="dim")
    table.add_column("status", no_wrap=True, width=7)
    table.add_column(metric or "score", justify="right", no_wrap=True, width=score, overflow="ellipsis")
    table.add_column("time", justify="right", no_wrap=True, width=6)
    for rank, row in enumerate(rows[:limit], start=1):
        first = rank == 1 and row.value is not None
        table.add_row(
            str(rank),
            Text(plain(row.candidate), style="bold green" if first else ""),
            Text(short(row.hyperparameters)),
            Text(row.status, style=_STYLES.get(row.status, "")),
            Text(figure(row.value), style="bold green" if first else ""),
            duration(row.seconds),
        )
    parts: list[ConsoleRenderable] = [Text("Leaderboard", style="bold"), table]
    if len(rows) > limit:
        parts.append(Text(f"and {len(rows) - limit} more in leaderboard.csv", style="dim"))
    return parts


def _board(progress: Progress, console: Console, now: float) -> RenderableType:
    running, ranked = progress.running(), progress.ranked()
    room = max(4, console.height - 6)
    shown_running = running[: max(2, room - TOP)]
    shown_ranked = ranked[: max(1, min(TOP, room - len(shown_running)))]
    best = ranked[0].number if ranked else None
    rows = [*shown_running, *shown_ranked]
    parts: list[RenderableType] = [Text("")]
    if rows:
        parts.append(_trial_table(rows, progress, console, best, now))
    rest = len(progress.trials) - len(rows)
    if rest > 0:
        counts = ", ".join(f"{many} {status}" for status, many in progress.counts().items())
        parts.append(Text(f"  {len(progress.trials)} trials in all: {counts}", style="dim", no_wrap=True, overflow="ellipsis"))
    parts.append(_status_line(progress, now))
    return Group(*parts)


def _trial_table(rows: list[TrialView], progress: Progress, console: Console, best: int | None, now: float) -> Table:
    wide = console.width >= 72
    mark = "★" if (console.encoding or "").lower().startswith("utf") else "*"
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold dim", expand=True)
    table.add_column("", width=1)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("candidate", no_wrap=True, overflow="ellipsis", width=max(22, min(40, console.width // 4)) if wide else 18)
    if wide:
        table.add_column("settings", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("progress", no_wrap=True, width=13)
    table.add_column(progress.metric.name or "score", justify="right", no_wrap=True, min_width=6, overflow="ellipsis", max_width=10)
    table.add_column("time", justify="right", no_wrap=True, min_width=6)
    for trial in rows:
        is_best = trial.number == best
        seconds = now - trial.started if trial.seconds is None else trial.seconds
        style = "bold green" if is_best else ""
        cells: list[RenderableType] = [
            Text(mark if is_best else "", style="green"),
            str(trial.number),
            Text(plain(trial.candidate), style=style),
        ]
        if wide:
            cells.append(Text(short(trial.hyperparameters), style="dim"))
        table.add_row(*cells, _bar(trial), Text(figure(trial.value), style=style), duration(max(0.0, seconds)))
    return table


def _bar(trial: TrialView) -> RenderableType:
    if trial.status != "running":
        suffix = "" if trial.status == "done" else f" {trial.progress}%"
        return Text(trial.status + suffix, style=_STYLES.get(trial.status, ""))
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=8)
    line.add_column(justify="right", width=4)
    line.add_row(ProgressBar(total=100, completed=trial.progress, width=8, style="dim"), f"{trial.progress}%")
    return line


def _status_line(progress: Progress, now: float) -> Text:
    head = _stage(progress.stage, "").partition(":")[0] if progress.stage else "Reading the data"
    parts = [head + (f" {plain(progress.note)}" if progress.note else "")]
    left = progress.left(now)
    if left is not None:
        parts.append(f"{duration(left)} left")
    elif progress.started is not None:
        parts.append(f"{duration(now - progress.started)} so far")
    best = progress.best()
    if best is not None:
        parts.append(f"best {progress.metric.name} {figure(best.value)} (trial {best.number})")
    parts.append("Ctrl-C: finish with the best")
    return Text(" · ".join(parts), style="bold cyan", no_wrap=True, overflow="ellipsis")


def _opening(event: RunStarted) -> str:
    budget = f"budget {duration(event.budget)}" if event.budget is not None else "no time limit"
    return f"Run {plain(event.run_id)}: {plain(event.task)} on {plain(event.data)}, judged by {plain(event.metric)}, {budget}"


def _going_on(event: RunResumed, trials: int) -> str:
    left = "no time limit" if event.budget is None else f"{duration(event.budget - event.spent)} of the budget left"
    return f"Run {plain(event.run_id)} goes on: {counted(trials, 'trial')} had ended, {left}"


def _left(event: RunFailedEvent, run: RunStarted | RunResumed | None) -> str:
    """A run that the user left can go on; one that failed, as it stands, would fail again."""
    if event.status != "aborted" or run is None:
        return f"run {event.status}"
    return f"run aborted: autoft resume {quote(str(_near(Path(run.folder))))} goes on with it"


def _stage(stage: str, note: str) -> str:
    text = STAGES.get(stage, plain(stage).capitalize())
    return f"{text} ({plain(note)})" if note else text


def _remark(event: Remark) -> Text:
    if event.level == "warning":
        return Text("Warning: ", style="bold yellow").append(plain(event.text), style="default not bold")
    return Text(plain(event.text))


def _reported(event: TrialReported, metric: str) -> str:
    scores = {metric: event.metrics.get(metric)} if metric in event.metrics else event.metrics
    shown = ", ".join(f"{plain(name)} {figure(value)}" for name, value in {**scores, **event.measures}.items())
    return f"trial {event.trial} at {event.progress}%" + (f": {shown}" if shown else "")


def _finished(event: TrialFinished, metric: str) -> str:
    where = "" if event.status in ("done", "failed") else f" at {event.progress}%"
    score = f" {plain(metric)} {figure(event.value)}" if event.value is not None else ""
    reason = f" ({plain(event.reason)})" if event.reason else ""
    return f"trial {event.trial} {event.status}{where}: {plain(event.candidate)}{score} in {duration(event.seconds)}{reason}"


def _proof(verified: object) -> str:
    if not isinstance(verified, Mapping) or "passed" not in verified:
        return ""
    if not verified["passed"]:
        return "the exported model did NOT give the same answers"
    difference = verified.get("max_difference")
    said = "the exported model gives the same answers as the trained one"
    if isinstance(verified.get("rows"), int):
        said += f" on {verified['rows']} rows"
    if isinstance(verified.get("combinations"), int):
        said += f" and {verified['combinations']} combinations of batch, length and padding"
    return said + (f" (largest difference {number(float(difference))})" if isinstance(difference, int | float) else "")


def _near(folder: Path) -> Path:
    """Relative to the working directory where it is below it."""
    with suppress(ValueError, OSError):
        return folder.resolve().relative_to(Path.cwd())
    return folder


def _places(folder: Path, result: Mapping[str, Any]) -> list[Text]:
    bundle = str(result.get("bundle") or "bundle")
    names = {"bundle": f"{bundle}/", "report": "report.html", "trials": "leaderboard.csv", "figures": "result.json"}
    return [Text(f"{kind + ':':<9}{folder / name}{'/' if name.endswith('/') else ''}") for kind, name in names.items()]


def _next_commands(folder: Path, result: Mapping[str, Any]) -> list[Text]:
    bundle = quote(str(folder / str(result.get("bundle") or "bundle")))
    example = example_inputs(result.get("columns"))
    opener = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
    commands = (f"autoft predict {bundle} {example}", f"autoft serve {bundle}", f"{opener} {quote(str(folder / 'report.html'))}")
    return [Text("Next:", style="bold"), *(Text(f"  {command}", no_wrap=True, overflow="fold") for command in commands)]


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


# Printing


def _is_terminal(stream: TextIO) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _console(stream: TextIO, width: int | None = None) -> Console:
    terminal = _is_terminal(stream)
    if width is None and not terminal:
        width = 160  # a log has no edge: the tables take what they need
    return Console(file=stream, force_terminal=terminal, no_color=True if "NO_COLOR" in os.environ else None, width=width, emoji=False)


def _print(stream: TextIO, parts: Iterable[ConsoleRenderable], width: int | None = None) -> None:
    console = _console(stream, width)
    parts = list(parts)
    if _is_terminal(stream):
        for part in parts:
            whole = isinstance(part, Text) and part.no_wrap is True  # a command must stay one line to be copied
            console.print(part, markup=False, highlight=False, soft_wrap=whole)
        return
    with console.capture() as captured:
        for part in parts:
            # Sentences stay whole where no screen asks for lines; tables have the console's width.
            console.print(part, markup=False, highlight=False, soft_wrap=isinstance(part, Text))
    write_line(stream, "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def write_line(stream: TextIO, line: str) -> None:
    """A line in whatever encoding the stream has: what it cannot hold becomes a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "replace").decode(encoding, "replace") + "\n")
    stream.flush()


def _kept_lines(text: str) -> list[str]:
    """The lines of a message with their indentation, each without control characters."""
    return [" " * (len(line) - len(line.lstrip(" "))) + plain(line) for line in str(text).splitlines()]


def _as_json(value: Mapping[str, Any], stream: TextIO) -> str:
    readable = (getattr(stream, "encoding", None) or "").lower().replace("-", "") in ("utf8", "utf8sig")
    return json.dumps(dict(value), indent=2, ensure_ascii=not readable, default=str)
