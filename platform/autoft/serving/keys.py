"""Keys that a request has to bring, from the environment and a file."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from autoft.errors import InputError

VARIABLE = "AUTOFT_API_KEYS"
"""The environment variable: keys with commas between them."""

ADMIN = "admin:"
"""Before a key that may also change what is served; it is no part of the key."""

SHORTEST = 16
"""Characters of a key."""

OPEN = ("/health/live", "/health/ready", "/ping", "/page/page.css", "/page/page.js")
"""Ends of the paths that need no key: who asks whether the server is well has none, and the page to try a model asks for one itself."""

_PAGE = re.compile(r"/|/models/[^/]+/")

ADMIN_PATHS = ("/admin/",)
"""Beginnings of the paths that need a key with `ADMIN` before it."""


class Keys:
    """Which keys there are. They are kept as hashes, and compared without telling by the time it takes how far one is right."""

    def __init__(self, keys: Iterable[str]) -> None:
        given = list(keys)
        self._all = [_hash(key.removeprefix(ADMIN)) for key in given]
        self._admins = [_hash(key.removeprefix(ADMIN)) for key in given if key.startswith(ADMIN)]

    def __bool__(self) -> bool:
        return bool(self._all)

    def allow(self, headers: Headers, path: str, method: str) -> int:
        """The status of a request: 200; 401 without a key that is right; 403 where another kind of key is wanted."""
        admin = path.startswith(ADMIN_PATHS)
        if not self._all:
            return 403 if admin else 200
        if path.endswith(OPEN) or (method in ("GET", "HEAD") and _PAGE.fullmatch(path)):
            return 200
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given = _hash(key.strip()) if scheme.lower() == "bearer" else b""
        if not _among(given, self._all):
            return 401
        return 403 if admin and not _among(given, self._admins) else 200


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _among(given: bytes, hashes: Iterable[bytes]) -> bool:
    # All are compared: `any` would stop at the first that is right.
    return sum(hmac.compare_digest(given, one) for one in hashes) > 0


def read_keys(file: Path | None, environment: Mapping[str, str]) -> Keys:
    """The keys of both, none where neither gives any. In the file a line is a key; blank lines and those that begin with # are passed over.

    Raises InputError where the file cannot be read or gives no key, or a key could be guessed or not be sent.
    """
    found = [(key.strip(), VARIABLE) for key in environment.get(VARIABLE, "").split(",") if key.strip()]
    if file is not None:
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--api-keys {file} cannot be read: {error}", hint="give a text file with a key a line") from None
        own = [(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
        if not own:
            raise InputError(f"--api-keys {file} holds no key", hint="write a key a line: openssl rand -hex 32 >> FILE")
        found += own
    for key, where in found:
        _check(key.removeprefix(ADMIN), where)
    return Keys(key for key, _ in found)


def _check(key: str, where: str) -> None:
    hint = "make one: openssl rand -hex 32"
    if len(key) < SHORTEST:
        raise InputError(f"{where}: a key has at least {SHORTEST} characters", hint=hint)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(f"{where}: a key is made of printable ASCII characters without blanks", hint=hint)


class Guard:
    """ASGI middleware that lets nobody in without a key, where there are keys."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = self._keys.allow(Headers(scope=scope), scope["path"], scope["method"]) if scope["type"] == "http" else 200
        if status == 200:
            await self._app(scope, receive, send)
            return
        await self._refusal(status)(scope, receive, send)

    def _refusal(self, status: int) -> JSONResponse:
        if status == 401:
            content = {"error": "a key is wanted, as the header Authorization: Bearer KEY"}
            return JSONResponse(content, status, headers={"WWW-Authenticate": 'Bearer realm="autoft"'})
        how = "this key may not" if self._keys else f"start the server with a key: {VARIABLE}={ADMIN}KEY"
        return JSONResponse({"error": f"what is served is changed with a key marked {ADMIN} alone; {how}"}, status)
