"""Trackers copy the events of a run to somebody else's system. One that fails or is slow never ends or slows a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from autoft.interfaces.events import Event


@runtime_checkable
class Tracker(Protocol):
    """The plugin: opened as the run starts or goes on, closed as it ends, by a thread of its own that calls one method at a time.

    What a method raises costs one warning, and the tracker hears no more. A run that was cut off is opened again with the same `run_id`
    and `folder`; its first event is then a `RunResumed`, and trials that had not ended begin anew under their numbers. What had been told
    before is not told again, though the last of it, which waited as the process was killed, may not have reached the tracker: all of it is
    in `folder`/events.jsonl.
    """

    name: str
    summary: str

    def open(self, run_id: str, folder: Path) -> None: ...

    def event(self, event: Event) -> None: ...

    def close(self) -> None:
        """After the last event, also where the run failed."""
        ...


@runtime_checkable
class Checked(Protocol):
    """A tracker that knows beforehand whether it can work."""

    def check(self) -> None:
        """Called before the run begins; returns nothing. Raises `autoft.errors.SettingsError`, whose message and hint the user sees, where
        the tracker cannot work: then nothing is written. Anything else that it raises or returns refuses the run as well."""
        ...
