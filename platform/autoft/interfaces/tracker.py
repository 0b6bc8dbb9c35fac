"""Trackers copy the events of a run to somebody else's system. One that fails or is slow never ends or slows a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from autoft.interfaces.events import Event


@runtime_checkable
class Tracker(Protocol):
    """The plugin: opened as the run starts, closed as it ends."""

    name: str
    summary: str

    def open(self, run_id: str, folder: Path) -> None: ...

    def event(self, event: Event) -> None: ...

    def close(self) -> None: ...
