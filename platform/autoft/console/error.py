"""An error that is the user's to mend."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.text import Text

from autoft.console.output import show
from autoft.errors import AutoftError
from autoft.progress import plain


def show_error(error: AutoftError, stream: TextIO | None = None) -> None:
    """The message and its hint, on standard error."""
    stream = stream or sys.stderr
    lines = [line for line in _kept_lines(error.message) if line.strip()] or [type(error).__name__]
    said = [Text("Error: ", style="bold red").append(lines[0], style="default not bold")]
    said += [Text(line) for line in lines[1:]]
    if error.hint:
        said.append(Text("Hint: ", style="bold").append(plain(error.hint), style="default not bold"))
    show(stream, said)


def _kept_lines(text: str) -> list[str]:
    """The lines of a message with their indentation, each without control characters."""
    return [" " * (len(line) - len(line.lstrip(" "))) + plain(line) for line in str(text).splitlines()]
