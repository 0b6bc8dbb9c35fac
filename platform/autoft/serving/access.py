"""A line a request in the log: method, path, status, milliseconds, id. Never what was asked or answered."""

from __future__ import annotations

import logging
import re
import time
import uuid
from contextvars import ContextVar
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("autoft.serving.access")
ERRORS = logging.getLogger("autoft.serving")

HEADER = "X-Request-ID"
REQUEST_ID: ContextVar[str | None] = ContextVar("autoft_request_id", default=None)
"""The id of the request that is answered, for the log."""

_PROPER_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class AccessLog:
    """ASGI middleware, the outermost: gives each request an id, the client's own where it is proper, and writes its line.

    While `closing`, responses end their connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        given = Headers(scope=scope).get(HEADER, "")
        number = given if _PROPER_ID.fullmatch(given) else uuid.uuid4().hex
        REQUEST_ID.set(number)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers[HEADER] = number
                if self.closing:
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:  # a traceback in the log could quote what was asked
            if not status:
                ERRORS.error("failed: %s", type(error).__name__)
                await JSONResponse({"error": "the server failed; its log says how"}, 500)(scope, receive, watch)
        finally:
            path = quote(scope["path"], errors="replace")[:200]
            taken = (time.perf_counter() - started) * 1000
            facts = {"method": scope["method"], "path": path, "status": status or 500, "ms": round(taken, 1)}
            LOG.info("%s %s %d %.1f ms", scope["method"], path, status or 500, taken, extra={"facts": facts})
