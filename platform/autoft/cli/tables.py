"""Tables for commands that list things."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: fitted to a terminal, one line a row elsewhere."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=not terminal)
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    text = StringIO()
    console = Console(file=text, force_terminal=terminal, width=None if terminal else 10_000, legacy_windows=False)
    console.print(table)
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _escaped(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def millions(number: int) -> str:
    """A count of parameters, e.g. 22.7 M."""
    return f"{number / 1e6:.1f} M" if number else ""
