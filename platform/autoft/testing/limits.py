"""A time for what hangs while it is checked."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Late(BaseException):
    """It took too long. No Exception: what hangs may catch all of these."""


@contextmanager
def within(seconds: float | None) -> Iterator[Callable[[], None]]:
    """Raises Late in what lasts longer; the function that it yields counts the time anew. None is no limit, and so is another thread than
    the main one, and a system without SIGALRM: nothing can be interrupted there."""
    if seconds is None or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def late(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Late

    limit = seconds

    def anew() -> None:
        signal.setitimer(signal.ITIMER_REAL, limit)

    before, begun = signal.signal(signal.SIGALRM, late), time.monotonic()
    left, again = signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield anew
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:  # somebody else's, which goes on
            signal.setitimer(signal.ITIMER_REAL, max(1e-3, left - (time.monotonic() - begun)), again)
