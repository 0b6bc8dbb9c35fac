"""Tables of trials and of runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import ConsoleRenderable
from rich.table import Table
from rich.text import Text

from autoft.console.output import console_for, show
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric
from autoft.progress import duration, figure, of_rows, plain, short

SHOWN = 10
"""Rows of the final leaderboard."""

STYLES = {"running": "cyan", "done": "green", "stopped": "yellow", "failed": "red", "aborted": "red"}
"""The colour of a status."""


def show_leaderboard(
    rows: Iterable[TrialFinished], metric: str | Metric, *, limit: int = SHOWN, stream: TextIO | None = None, width: int | None = None
) -> None:
    """The trials as they come, best first; the first with a score is marked."""
    name = metric if isinstance(metric, str) else metric.name
    stream = stream or sys.stdout
    show(stream, leaderboard_parts(list(rows), name, limit, console_for(stream, width).width), width)


def show_runs(rows: Iterable[Mapping[str, str]], stream: TextIO | None = None) -> None:
    """One line a run; `rows` have run, started, status, time and best."""
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold")
    for name in ("run", "started", "status"):
        table.add_column(name, no_wrap=True, overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("best", no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [Text(plain(row.get(name, ""))) for name in ("run", "started", "status", "time", "best")]
        cells[2].stylize(STYLES.get(row.get("status", ""), ""))
        table.add_row(*cells)
    show(stream or sys.stdout, [table])


def leaderboard_parts(rows: list[TrialFinished], metric: str, limit: int, width: int) -> list[ConsoleRenderable]:
    """A heading, the first `limit` of `rows`, and how many more there are; nothing without rows."""
    if not rows:
        return []
    # Widths are reckoned here: left to itself the table takes room from the figures before it takes it from the settings.
    candidate = min(max(len("candidate"), *(len(plain(row.candidate)) for row in rows[:limit])), 30)
    score = max(6, min(12, len(metric)))
    state = max(7, *(len(_state(row)) for row in rows[:limit]))
    settings = max(8, width - (4 + candidate + state + score + 6 + 5))
    table = Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold", expand=False)
    table.add_column("rank", justify="right", no_wrap=True, width=4)
    table.add_column("candidate", no_wrap=True, overflow="ellipsis", width=candidate)
    table.add_column("settings", overflow="ellipsis", no_wrap=True, max_width=settings, style="dim")
    table.add_column("status", no_wrap=True, width=state)
    table.add_column(metric or "score", justify="right", no_wrap=True, width=score, overflow="ellipsis")
    table.add_column("time", justify="right", no_wrap=True, width=6)
    for rank, row in enumerate(rows[:limit], start=1):
        first = rank == 1 and row.value is not None
        table.add_row(
            str(rank),
            Text(plain(row.candidate), style="bold green" if first else ""),
            Text(short(row.hyperparameters)),
            Text(_state(row), style=STYLES.get(row.status, "")),
            Text(figure(row.value), style="bold green" if first else ""),
            duration(row.seconds),
        )
    parts: list[ConsoleRenderable] = [Text("Leaderboard", style="bold"), table]
    if len(rows) > limit:
        parts.append(Text(f"and {len(rows) - limit} more in leaderboard.csv", style="dim"))
    return parts


def _state(row: TrialFinished) -> str:
    """A score of a trial that was stopped, or that learned from a part of the rows, is one of so much: the whole would have had another."""
    return (f"{row.status} {row.progress}%" if row.status == "stopped" else row.status) + of_rows(row.rows)
