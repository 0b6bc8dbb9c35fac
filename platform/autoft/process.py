"""What a run changes in its own process while it lasts: signals, and what libraries say."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from autoft.environment import environment
from autoft.interfaces.events import StopRequested
from autoft.journal import Journal

BY_USER = "stopped by the user"


@contextmanager
def interrupts(journal: Journal) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: finish with the best so far. Second: KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if journal.stopping:
            raise KeyboardInterrupt
        journal.stop(BY_USER)
        journal.emit(StopRequested(reason=BY_USER))
        journal.say("finishing with the best so far; once more to leave at once", "warning")

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Nothing that a library says leaks onto the screen, here or in workers."""
    if verbose:
        yield
        return
    silent = {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONWARNINGS": "ignore",
    }
    with environment(silent), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
