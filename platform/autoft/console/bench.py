"""What `autoft bench` measured, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import ConsoleRenderable
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from autoft.benching import words
from autoft.benching.figures import Measurements
from autoft.console.output import console_for, is_terminal, show
from autoft.progress import plain


@contextmanager
def bench_progress(stream: TextIO | None = None) -> Iterator[Callable[[float, str], None]]:
    """A bar on a terminal, nothing elsewhere: gives what hears how much is done, 0 to 1, and what is being done."""
    stream = stream or sys.stderr
    if not is_terminal(stream):
        yield lambda *_: None
        return
    columns = (TextColumn("Measuring"), BarColumn(), TextColumn("{task.description}", style="dim"))
    with Progress(*columns, console=console_for(stream), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda done, what: progress.update(task, completed=done, description=plain(what))


def show_bench(measured: Measurements, stream: TextIO | None = None, width: int | None = None) -> None:
    """Tables, then a line for each thing else, then the advice."""
    machine = measured.machine
    facts = {
        "Bundle": f"{measured.candidate}, {measured.task}, {measured.format}: {measured.bundle}",
        "Machine": f"{machine.cores} x {machine.processor}, {machine.system}",
        "Asked": words.asked_in_words(measured.asked),
        "Took": words.took_in_words(measured),
    }
    further = {
        "Memory": words.memory_in_words(measured.memory) if measured.memory else "",
        "Cold start": words.start_in_words(measured.cold_start) if measured.cold_start else "",
        "Beside": words.beside_in_words(measured.beside) if measured.beside else "",
    }
    one = _table(words.ONE_ROW, [words.one_row(found) for found in measured.latency], set())
    many = _table(words.MANY_ROWS, [words.many_rows(found) for found in measured.throughput], words.fastest(measured.throughput))
    said: list[ConsoleRenderable] = [*_facts(facts), Text(""), Text("One row at a time", style="bold"), one]
    said += [Text(""), Text("Many rows at a time; padding is not counted as tokens", style="bold"), many, Text("")]
    said += [*_facts(further), *(_fact("Note", note) for note in measured.notes)]
    said += [Text(""), Text("Advice:", style="bold"), *(Text(f"  {plain(line)}") for line in words.advice_in_words(measured))]
    said += [Text(f"  {words.taken_in_words(measured)}")]
    show(stream or sys.stdout, said, width)


def _facts(facts: dict[str, str]) -> list[Text]:
    return [_fact(name, value) for name, value in facts.items() if value]


def _fact(name: str, value: str) -> Text:
    return Text(f"{name}: ", style="bold").append(plain(value), style="default not bold")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], marked: set[int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold dim")
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for place, row in enumerate(rows):
        table.add_row(*row, style="bold green" if place in marked else "")
    return table
