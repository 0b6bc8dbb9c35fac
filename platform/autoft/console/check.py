"""What `autoft check` found in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, ConsoleRenderable
from rich.table import Table
from rich.text import Text

from autoft.console.output import console_for, show
from autoft.progress import number, plain

CLASSES, BAR = 20, 30
"""Classes that are drawn, and the width of the longest bar."""


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
        said += [Text(""), *_class_chart(understood["classes"], understood["classes_in_words"], console_for(stream, width))]
    said += [Text("")] if understood["warnings"] or understood["notes"] else []
    said += [Text("Warning: ", style="bold yellow").append(plain(line), style="default not bold") for line in understood["warnings"]]
    said += [Text("Note: ", style="bold").append(plain(line), style="default not bold") for line in understood["notes"]]
    others = [f"  {one['flags']}  ({one['reason'].partition('; not used')[0]})" for one in understood["others"]]
    if others:
        said += [Text(""), Text("It could be read otherwise:", style="bold"), *(Text("  " + plain(line.strip())) for line in others)]
    said += [Text(""), Text("Next:", style="bold"), Text(f"  {plain(understood['command'])}", no_wrap=True, overflow="fold")]
    show(stream, said, width)


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
