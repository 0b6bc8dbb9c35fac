"""Runs the bundles' application until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn

from autoft.errors import InputError
from autoft.interfaces.problem import Frozen
from autoft.serving.access import AccessLog
from autoft.serving.assembled import assembled
from autoft.serving.connections import allow_many, impatient
from autoft.serving.logs import log_to_stderr
from autoft.serving.options import Options
from autoft.serving.served import setting

GRACE = 30
"""Seconds that accepted requests have to finish once the server is told to stop."""

LAST_REQUESTS = 0.5
"""Seconds that open connections have, once the server is told to stop, to send what is on its way."""

_BACKLOG = 2048

_ACCEPTS = 4
"""Connections that a process takes at a time: with more, one of several would take all that come together, and the others none."""


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


def serve(options: Options, listener: socket.socket, on_ready: Callable[[Started], None] = lambda _: None) -> None:
    """Serve on a socket that `bind` gave until SIGTERM or SIGINT; accepted requests are finished first.

    `on_ready` hears what is served once requests are taken. Raises InputError where a bundle or a key cannot be used.
    """
    log_to_stderr(options.log_format)
    allow_many()
    with contextlib.closing(listener), assembled(options) as made, _signals_end_quietly():
        predictors = [served.predictor for served in made.bundles.values()]
        advised = options.workers == 1 and options.threads is None and options.sessions is None
        started = Started(
            address=address_of(listener),
            names=tuple(predictor.bundle.manifest.provenance.candidate for predictor in predictors),
            setting=setting(predictors[0], options.format) if advised else "",
        )
        Server(made.app, lambda: on_ready(started)).run(sockets=[listener])


class Started(Frozen):
    """What is served, for the line that says so: the URL, the bundles' candidates, and a remark on the bundle's advice."""

    address: str
    names: tuple[str, ...]
    setting: str = ""


class Server(uvicorn.Server):
    """uvicorn's, with limits for slow clients, and an end that loses no request that has arrived."""

    def __init__(self, app: AccessLog, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=impatient(),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                backlog=_ACCEPTS,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._app, self._on_ready = app, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_BACKLOG)  # the loop has set it to what it takes at a time
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        arrived = [connection for listener in sockets or () for connection in _waiting(listener)]
        for server in self.servers:
            server.close()
        loop, config = asyncio.get_running_loop(), self.config
        protocol: Any = config.http_protocol_class
        made = partial(protocol, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        for connection in arrived:
            await loop.connect_accepted_socket(made, connection)
        self._app.closing = True
        until = loop.time() + LAST_REQUESTS
        while self.server_state.connections and loop.time() < until and not self.force_exit:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def _waiting(listener: socket.socket) -> list[socket.socket]:
    """The connections that the system has accepted and nobody has taken yet: they would be reset with the listener."""
    found: list[socket.socket] = []
    with contextlib.suppress(OSError):  # none waits any more, or no file may be opened
        while len(found) < _BACKLOG:
            found.append(listener.accept()[0])
    return found


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
