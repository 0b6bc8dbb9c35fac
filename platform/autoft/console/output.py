"""The one way to print: to a terminal, to a log, in whatever encoding the stream has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from rich.console import Console, ConsoleRenderable
from rich.text import Text


def is_terminal(stream: TextIO) -> bool:
    """False of a stream that is closed or does not know."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def console_for(stream: TextIO, width: int | None = None) -> Console:
    """One that honours NO_COLOR; as wide as the terminal unless `width` says otherwise."""
    terminal = is_terminal(stream)
    if width is None and not terminal:
        width = 160  # a log has no edge: the tables take what they need
    return Console(file=stream, force_terminal=terminal, no_color=True if "NO_COLOR" in os.environ else None, width=width, emoji=False)


def show(stream: TextIO, parts: Iterable[ConsoleRenderable], width: int | None = None) -> None:
    """Print to a terminal with its styles, elsewhere as plain lines."""
    console = console_for(stream, width)
    parts = list(parts)
    if is_terminal(stream):
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


def as_json(value: Mapping[str, Any], stream: TextIO) -> str:
    """Readable where the stream is UTF-8, escaped elsewhere."""
    readable = (getattr(stream, "encoding", None) or "").lower().replace("-", "") in ("utf8", "utf8sig")
    return json.dumps(dict(value), indent=2, ensure_ascii=not readable, default=str)
