"""What a run changes in its own process while it lasts: signals, and what libraries say."""

from __future__ import annotations

import _thread
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from autoft.environment import environment
from autoft.interfaces.events import StopRequested
from autoft.journal import Journal

BY_USER = "stopped by the user"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN = 0.05
"""Seconds until a KeyboardInterrupt that had to wait is tried again."""


@contextmanager
def interrupts(journal: Journal) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: finish with the best so far. Second: KeyboardInterrupt, once no import is under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    around = _imports(sys._getframe())  # whoever starts a run may be imported itself
    with _Presses() as presses:

        def hear(_: int, frame: FrameType | None) -> None:
            for _ in range(presses.new()):
                if journal.stopping:
                    presses.leaving = True
                    continue
                journal.stop(BY_USER)
                journal.emit(StopRequested(reason=BY_USER))
                journal.say("finishing with the best so far; once more to leave at once", "warning")
            # An extension that is being initialised may end the whole process where what it calls raises: nanobind's do, as onnx's.
            if presses.leaving and _imports(frame) > around:
                presses.again()
            elif presses.leaving:
                presses.forget()
                raise KeyboardInterrupt

        before = {number: signal.signal(number, hear) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Presses:
    """Signals as they come, each of them. Python calls a handler once for all that came while a library kept it from doing so, which is
    for a second at a time where processors are few; for each it writes a byte (`signal.set_wakeup_fd`)."""

    def __init__(self) -> None:
        self.leaving = False
        self._timer: threading.Timer | None = None
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)

    def __enter__(self) -> _Presses:
        self._before = self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        signal.set_wakeup_fd(self._before)
        self._read.close()
        self._write.close()

    def _listen(self) -> int:
        return signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def new(self) -> int:
        """How many came since this was last asked. Only for the handler, which one has reached."""
        if self._listen() != self._write.fileno():
            return 1  # a library had the bytes
        with suppress(BlockingIOError):
            return sum(one in _SIGNALS for one in self._read.recv(1024))
        return 0

    def again(self) -> None:
        """As if the user had pressed once more, soon."""
        self._cancel()
        self._timer = threading.Timer(_AGAIN, _thread.interrupt_main)
        self._timer.start()

    def forget(self) -> None:
        self.leaving = False
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _imports(frame: FrameType | None) -> int:
    """How many of the frames on the way to it are those of imports."""
    found = 0
    while frame is not None:
        found += frame.f_code.co_filename == "<frozen importlib._bootstrap>"
        frame = frame.f_back
    return found


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
