"""Where a bundle was arranged for a place to run, and what to do there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from rich.console import ConsoleRenderable
from rich.text import Text

from autoft.console.lines import near
from autoft.console.output import as_json as written
from autoft.console.output import show, write_line
from autoft.progress import plain

if TYPE_CHECKING:
    from autoft.interfaces.packager import Placed


def show_places(placed: Sequence[Placed], *, as_json: bool = False, stream: TextIO | None = None, width: int | None = None) -> None:
    """Each folder with its files and the next steps, commands on lines of their own."""
    stream = stream or sys.stdout
    if as_json:
        places = [{**asdict(one), "folder": str(one.folder)} for one in placed]
        write_line(stream, written({"places": places}, stream))
        return
    parts: list[ConsoleRenderable] = []
    for one in placed:
        parts += [Text(""), Text(f"{near(one.folder)}/", style="bold")]
        parts += [Text(f"  {plain(name)}") for name in one.files]
        parts += [Text(""), Text("Next, in that folder:", style="bold")]
        parts += [Text(f"  {plain(step)}", no_wrap=True) for step in one.next_steps]
    show(stream, parts[1:], width)
