"""Servers for tests: in a thread of this process, or a process of their own whose log goes to a file."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from autoft.serving.access import AccessLog
from autoft.serving.assembled import Assembled, assembled
from autoft.serving.options import Named, Options
from autoft.serving.server import Server, address_of, bind

KEY, ADMIN_KEY = "k" * 16, "a" * 16


def options_for(*bundles: Path, **options: Any) -> Options:
    """Each bundle under its folder's name, with one thread."""
    named = tuple(Named(name=folder.name, folder=folder) for folder in bundles)
    return Options(bundles=named, **{"threads": 1, **options})


@contextlib.contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The address of an application that is served in a thread."""
    ready = threading.Event()
    with bind("127.0.0.1", 0) as listener:
        server = Server(app if isinstance(app, AccessLog) else AccessLog(app), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(60)
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join(60)
    assert not thread.is_alive()


@contextlib.contextmanager
def in_thread(*bundles: Path, **options: Any) -> Iterator[tuple[str, Assembled]]:
    """The address of a server in a thread, and what it serves."""
    with assembled(options_for(*bundles, **options)) as made, listening(made.app) as address:
        yield address, made


class Process:
    """`autoft serve` on a free port."""

    def __init__(self, folder: Path, *arguments: str | Path, **environment: str) -> None:
        self.log_file = folder / "server.log"
        command = [sys.executable, "-m", "autoft", "serve", *map(str, arguments), "--port", "0"]
        own = {"AUTOFT_DATABASE": f"sqlite:///{folder / 'runs.sqlite'}"}
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, env={**os.environ, **own, **environment})
        found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", self.log) or self.process.poll() is not None)
        assert isinstance(found, re.Match), self.log
        self.address = found[0]

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def children(self) -> list[int]:
        """The processes that it has started, by their ids."""
        return [int(number) for number in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The status with which it ends."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.process.kill()
        self.process.wait()


def until(found: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What it gives once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"nothing within {seconds} s")


class Client:
    """One connection, kept open; `ask` gives status, headers and JSON."""

    def __init__(self, address: str, **headers: str) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        self._headers = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, http.client.HTTPMessage, Any]:
        sent = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, sent, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        return response.status, response.headers, json.loads(content) if content else None

    def predict(self, text: str = "great", path: str = "/predict") -> dict[str, Any]:
        status, _, answer = self.ask("POST", path, {"text": text})
        assert status == 200, answer
        return answer

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def connected(address: str, sent: bytes = b"") -> socket.socket:
    """A bare connection on which this was sent."""
    place = urlsplit(address)
    connection = socket.create_connection((place.hostname, place.port), timeout=30)
    connection.sendall(sent)
    return connection
