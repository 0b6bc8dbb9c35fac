"""autoft: fine-tune, search, prove and serve. The names below are loaded when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoft.version import __version__

if TYPE_CHECKING:
    from autoft.api import Run, export, load, resume, run
    from autoft.errors import AutoftError
    from autoft.hookspecs import hookimpl

__all__ = ["AutoftError", "Run", "__version__", "export", "hookimpl", "load", "resume", "run"]

_HOMES = dict.fromkeys(("Run", "export", "load", "resume", "run"), "autoft.api")
_HOMES |= {"hookimpl": "autoft.hookspecs", "AutoftError": "autoft.errors"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autoft' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
