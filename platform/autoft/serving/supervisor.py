"""Several processes that serve on one socket: they are started, watched, started again, and stopped together."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from autoft.errors import InputError
from autoft.serving.logs import log_to_stderr
from autoft.serving.metrics import SHARED
from autoft.serving.options import Options
from autoft.serving.server import GRACE, LAST_REQUESTS, Started

LOG = logging.getLogger("autoft.serving")

LONGEST_PAUSE = 30.0
"""Seconds before a process is started again that ended before it was ready; the first time, a hundredth of it."""

_LOOK = 0.05


class _Worker:
    """A process; `started` is what it said once it was ready."""

    def __init__(self, options: Options, listener: socket.socket, counts: Path) -> None:
        self.started: Started | None = None
        self._counts = counts
        self.process = subprocess.Popen(
            # -P: a file in the working directory must not stand in for a module. A session of its own: Ctrl-C is for the one that watches.
            [sys.executable, "-P", "-m", "autoft.serving.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
            env={**os.environ, SHARED: str(counts)},
        )
        assert self.process.stdin is not None
        order = {"options": options.model_dump(mode="json"), "listener": listener.fileno()}
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            self.started = Started.model_validate_json(line)

    def release(self) -> None:
        """Close its pipes and drop what it alone could tell, once it has ended."""
        mark_process_dead(self.process.pid, str(self._counts))  # type: ignore[no-untyped-call]
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Place:
    """One of the processes there should be, whichever it is at the moment."""

    def __init__(self, start: Callable[[], _Worker]) -> None:
        self._start = start
        self._failures = 0
        self._next = 0.0
        self.worker: _Worker | None = start()

    @property
    def started(self) -> Started | None:
        return self.worker.started if self.worker else None

    def look(self) -> None:
        """Start the process again where it has ended."""
        if self.worker is None:
            if time.monotonic() >= self._next:
                self.worker = self._start()
            return
        status = self.worker.process.poll()
        if status is None:
            return
        self._failures = 0 if self.worker.started else self._failures + 1
        pause = min(LONGEST_PAUSE, LONGEST_PAUSE / 100 * 2**self._failures) if self._failures else 0.0
        LOG.error("worker %d ended with %s; another is started in %.1f s", self.worker.process.pid, _word(status), pause)
        self.worker.release()
        self.worker, self._next = None, time.monotonic() + pause


def supervise(options: Options, listener: socket.socket, on_ready: Callable[[Started], None]) -> int:
    """Serve on the socket with `options.workers` processes until SIGTERM or SIGINT; returns the status to end with.

    `on_ready` hears what is served once all take requests. Where the first process cannot serve, its status is returned, and its message is
    on standard error already; one that ends later is started again. Raises InputError on systems that cannot do this.
    """
    if os.name != "posix":
        raise InputError("--workers needs a system that hands sockets to processes", hint="leave it out, and start several servers")
    log_to_stderr(options.log_format)
    listener.set_inheritable(True)
    with tempfile.TemporaryDirectory(prefix="autoft-serve-") as orders, _stopping() as stop:
        asked = options.model_copy(update={"orders": Path(orders)})
        counts = Path(orders) / "metrics"
        counts.mkdir()
        places: list[_Place] = []
        try:
            places.append(_Place(lambda: _Worker(asked, listener, counts)))
            while places[0].started is None and not stop.wait(_LOOK):
                worker = places[0].worker
                if worker is not None and worker.process.poll() is not None and worker.started is None:
                    return worker.process.returncode if worker.process.returncode > 0 else 1
            places += [_Place(lambda: _Worker(asked, listener, counts)) for _ in range(options.workers - 1) if not stop.is_set()]
            told = False
            while not stop.wait(_LOOK):
                for place in places:
                    place.look()
                first = places[0].started
                if not told and first is not None and all(place.started for place in places):
                    told = True
                    on_ready(first)
        finally:
            listener.close()  # or connections would wait here that nobody takes
            _end([place.worker for place in places if place.worker is not None])
    return 0


def _end(workers: list[_Worker]) -> None:
    """They finish what they have accepted; one that does not within its time is killed."""
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + GRACE + LAST_REQUESTS + 2
    for worker in workers:
        try:
            worker.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.release()


@contextlib.contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set by SIGTERM and SIGINT."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _word(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"
