"""The live table: what runs, what is best so far, how much time is left."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoft.console.lines import stage_begun
from autoft.console.tables import STYLES
from autoft.progress import Progress, TrialView, duration, figure, of_rows, plain, short

TOP = 5
"""Ended trials in the live table."""


def board(progress: Progress, console: Console, now: float) -> RenderableType:
    """What stands on the terminal at `now`, in seconds since the epoch: fewer trials than there are where the console is low or narrow."""
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
    table.add_column("progress", no_wrap=True, width=27 if any(trial.rows is not None for trial in rows) else 13)
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
        return Text(trial.status + suffix + of_rows(trial.rows), style=STYLES.get(trial.status, ""))
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=8)
    line.add_column(justify="right", width=4)
    line.add_row(ProgressBar(total=100, completed=trial.progress, width=8, style="dim"), f"{trial.progress}%")
    return line


def _status_line(progress: Progress, now: float) -> Text:
    head = stage_begun(progress.stage, "").partition(":")[0] if progress.stage else "Reading the data"
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
