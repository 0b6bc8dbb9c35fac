"""What stands before the bundles of a server: keys, origins, the log, and which bundle a path is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from autoft.serving.access import HEADER, AccessLog
from autoft.serving.app import refused
from autoft.serving.keys import Guard, Keys
from autoft.serving.requests import RequestError, read_json
from autoft.serving.served import Served, swapped
from autoft.serving.watching import Watch

MODELS = "/models"
INFER = "/v2/models"
"""Of the Open Inference Protocol, which names the bundle itself."""
SWAP = "/admin/swap"


class Front:
    """ASGI application: `/models/NAME/...` and `/v2/models/NAME/...` are the bundle of that name, all else the first one. Beside them the
    list of bundles and the swaps."""

    def __init__(self, bundles: Mapping[str, Served], watch: Watch) -> None:
        self._bundles, self._watch = bundles, watch
        self._first = next(iter(bundles.values()))
        routes = [Route(MODELS, self._list, methods=["GET"]), Route(SWAP, self._swap, methods=["POST"])]
        self._own = Starlette(routes=routes, exception_handlers={RequestError: refused})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in (MODELS, SWAP):
            await self._own(scope, receive, send)
            return
        name = path.removeprefix(f"{MODELS}/").partition("/")[0] if path.startswith(f"{MODELS}/") else None
        asked = path.removeprefix(f"{INFER}/").partition("/")[0] if path.startswith(f"{INFER}/") else name
        served = self._bundles.get(asked) if asked is not None else self._first
        if served is None:
            known = ", ".join(self._bundles)
            await JSONResponse({"error": f"no bundle is served under this name; there is {known}"}, 404)(scope, receive, send)
            return
        prefix = "" if name is None else f"{MODELS}/{name}"
        # A copy: the application leaves itself in the scope, and a connection keeps that while it is open.
        await served.app({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)

    async def _list(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse([_facts(served) for served in self._bundles.values()])

    async def _swap(self, request: Request) -> Response:
        served, folder = self._asked(await read_json(request) if _has_body(request) else {})
        reason = await anyio.to_thread.run_sync(swapped, served, folder)
        if reason is not None:
            raise RequestError(422, f"not swapped, the old bundle is served on: {reason}", "bundle")
        self._watch.given(served)
        return JSONResponse(_facts(served))

    def _asked(self, body: Mapping[str, Any]) -> tuple[Served, Path | None]:
        unknown = next((name for name in body if name not in ("model", "bundle")), None)
        if unknown is not None:
            raise RequestError(422, f"a swap takes model and bundle, not {unknown!r}", unknown)
        for name in ("model", "bundle"):
            if not isinstance(body.get(name, ""), str):
                raise RequestError(422, f"{name} should be a text", name)
        served = self._bundles.get(body["model"]) if "model" in body else self._first
        if served is None:
            raise RequestError(422, f"no bundle is served as {body['model']!r}; there is {', '.join(self._bundles)}", "model")
        if "\0" in body.get("bundle", ""):
            raise RequestError(422, "bundle should be a folder's path", "bundle")
        return served, Path(body["bundle"]) if body.get("bundle") else None


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _facts(served: Served) -> dict[str, Any]:
    manifest = served.predictor.bundle.manifest
    return {
        "name": served.name,
        "task": manifest.problem.task,
        "candidate": manifest.provenance.candidate,
        "created": manifest.created,
        "path": f"{MODELS}/{served.name}",
    }


def guarded(app: ASGIApp, *, keys: Keys, origins: Sequence[str] = ()) -> AccessLog:
    """The application behind keys and the log, and open to pages of these origins: other browsers' pages cannot read its answers."""
    inner: ASGIApp = Guard(app, keys)
    if origins:
        inner = CORSMiddleware(
            inner,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", HEADER.lower()],
            expose_headers=[HEADER, "Retry-After"],
        )
    return AccessLog(inner)
