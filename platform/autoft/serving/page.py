"""`GET /`: a page to try the model. It asks the routes beside it and no other machine."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

FOLDER = Path(__file__).parent / "static"
FILES = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI) -> None:
    """The page, its style and script below `page/`. None of them holds anything of the model: the page reads
    `info` and asks `predict`, and where these want a key, it asks for it first."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return _file("page.html", "text/html; charset=utf-8")

    for name, kind in FILES.items():
        app.add_api_route(f"/page/{name}", _Static(name, kind), methods=["GET"], include_in_schema=False)


class _Static:
    def __init__(self, name: str, kind: str) -> None:
        self._name, self._kind = name, kind

    async def __call__(self) -> Response:
        return _file(self._name, self._kind)


def _file(name: str, kind: str) -> Response:
    return Response((FOLDER / name).read_bytes(), headers=HEADERS, media_type=kind)
