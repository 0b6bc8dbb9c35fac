"""What autoft remembers of its runs. The names below are loaded when they are first used: sqlmodel takes a third of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoft.store.database import Recorder, Store, find_run
    from autoft.store.tables import ArtifactRecord, RunRecord, TrialRecord

__all__ = ["ArtifactRecord", "Recorder", "RunRecord", "Store", "TrialRecord", "find_run"]

_HOMES = {"Store": "database", "Recorder": "database", "find_run": "database"}
_HOMES |= {"RunRecord": "tables", "TrialRecord": "tables", "ArtifactRecord": "tables"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autoft.store' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"autoft.store.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
