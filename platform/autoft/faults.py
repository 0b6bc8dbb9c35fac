"""Whose an exception is: of a plugin, where the innermost code that is neither the core's nor a library's is a plugin's."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import FrameType

from autoft.catalog import kind_of
from autoft.errors import AutoftError
from autoft.plugins import Owner, owner

_LONGEST = 300
_WITH_VERBOSE = ("run", "resume")


def plugin_fault(error: BaseException) -> AutoftError | None:
    """One line for what a plugin raised: kind, name, where it is installed from, exception, method, line. None where no plugin that is not
    built in took part, and for errors that are a sentence already."""
    if isinstance(error, AutoftError) or not isinstance(error, Exception):
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    owners = [owner(str(frame.f_globals.get("__name__", ""))) for frame, _ in frames]
    inner = max((place for place, one in enumerate(owners) if one), default=None)
    if inner is None:
        return None
    culprit, outer = owners[inner], inner
    while outer and owners[outer - 1] == culprit:
        outer -= 1
    who, method = _asked(frames[outer][0], culprit)
    frame, line = frames[inner]
    raised = f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]}".rstrip(": ")
    deepest = str(frames[-1][0].f_globals.get("__name__", ""))
    through = f", by way of {deepest}" if deepest.partition(".")[0] == "autoft" else ""
    where = f"line {line} of {Path(frame.f_code.co_filename).name}"
    return AutoftError(f"{who} raised {raised} in {method}, {where}{through}", hint=_hint())


def _asked(frame: FrameType, culprit: Owner | None) -> tuple[str, str]:
    """Which object was asked for what, as far as it is one that a catalog holds; else the plugin, and the function."""
    one = frame.f_locals.get("self")
    kind = None if one is None else kind_of(one)
    origin = culprit.origin if culprit else ""
    if kind is None:
        return f"the plugin {culprit.name if culprit else ''} ({origin})", frame.f_code.co_qualname
    return f"{kind} {getattr(one, 'name', '')} ({origin})", frame.f_code.co_name


def _hint() -> str:
    shown = "--verbose" if any(name in sys.argv[1:3] for name in _WITH_VERBOSE) else "autoft --trace COMMAND"
    return f"tell its author; {shown} shows the traceback"
