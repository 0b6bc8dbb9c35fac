"""Connections: how long a client may take to send a request, and how many may be open."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

HEADER_SECONDS = 10.0
"""From a connection's beginning, or the first byte of a further request, to the end of the request's headers."""

MOST_FILES = 65_536


def impatient() -> type[Any]:
    """uvicorn's protocol, closing connections whose headers do not come. Its own limit is for those that say nothing between requests."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._wait_for_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait_for_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

        def _idle(self) -> bool:
            return self.cycle is None or bool(self.cycle.response_complete)

        def _wait_for_headers(self) -> None:
            if not self._idle():
                self._wait_no_more()
            elif self._due is None:
                self._due = self.loop.call_later(HEADER_SECONDS, self._give_up)

        def _wait_no_more(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

        def _give_up(self) -> None:
            self._due = None
            if self._idle():
                self.transport.close()

    return Impatient


def allow_many() -> None:
    """Let this process and its children have as many files open as the system lets them: a connection is one. Nothing on other systems."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
