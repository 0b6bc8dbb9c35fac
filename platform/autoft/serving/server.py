"""Runs the application until a signal asks it to stop."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from autoft.errors import InputError
from autoft.runtime.predictor import Predictor
from autoft.serving.app import create_app
from autoft.serving.request_log import RequestLog

GRACE = 30
"""Seconds that accepted requests have to finish once the server is told to stop."""

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `host`:`port`, port 0 for any free one. Raises InputError when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise InputError(
            f"--host {host} --port {port}: no such address ({error})", hint="--host 127.0.0.1 serves this machine alone"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # On some systems a port that is bound but not listened on can be bound once more.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refusal(host, port, error) from None
    return listener


def _refusal(host: str, port: int, error: OSError) -> InputError:
    if error.errno == errno.EADDRINUSE:
        free = port + 1 if port < 65535 else 8000
        return InputError(f"port {port} on {host} is in use", hint=f"autoft serve ... --port {free}, or --port 0 for any free one")
    if error.errno == errno.EACCES:
        return InputError(f"port {port} on {host} needs more rights than this process has", hint="take a port from 1024, e.g. --port 8000")
    return InputError(f"{host}:{port} cannot be served: {error.strerror}", hint="--host 127.0.0.1 serves this machine alone")


def address_of(listener: socket.socket) -> str:
    """The URL under which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    predictor: Predictor,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    name: str = "autoft",
    listener: socket.socket | None = None,
    request_log: RequestLog | None = None,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests are finished first. `listener` is a socket that `bind` gave, else one is made.
    Requests are written to `request_log`, if there is one.

    `on_ready` hears the address once requests are taken. Raises InputError when the port cannot be had.
    """
    listener = listener or bind(host, port)
    _log_to_stderr()
    config = uvicorn.Config(
        create_app(predictor, name=name, request_log=request_log),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=GRACE,
    )
    with _signals_end_quietly(), contextlib.closing(listener):
        _Server(config, lambda: on_ready(address_of(listener))).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """uvicorn stops on a signal, then raises it again for whoever listened before; a stopped server is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to_stderr() -> None:
    log = logging.getLogger("autoft.serving")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
