"""What a run's folder tells of it: run.json, and the stream up to where the run was cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autoft.errors import InputError
from autoft.interfaces.events import (
    EVENTS,
    Event,
    RunFinished,
    RunResumed,
    RunStarted,
    StageStarted,
    StopRequested,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from autoft.interfaces.tuner import Past

SEARCHES = ("first points", "search")
"""Stages of the search."""
BEFORE_THE_END = ("baselines", "ranking", *SEARCHES)
"""Stages in which a search may still go on; one of any other name comes after it."""


def read_events(path: Path) -> list[Event]:
    """The stream in `path`; what a killed run leaves half written at its end is left out.

    Raises InputError where the file cannot be read, and for a line that is no event and has others behind it.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise InputError(f"{path.parent} is no folder of a run: {path.name} cannot be read ({error})", hint="autoft runs") from None
    events: list[Event] = []
    broken = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip("\0 \r"):
            continue
        try:
            event = EVENTS.validate_json(line)
        except ValidationError:
            broken = broken or number
            continue
        if broken:
            raise InputError(f"{path}: line {broken} is no event of autoft", hint="autoft runs")
        events.append(event)
    return events


def mend(path: Path) -> None:
    """Take away what is half written at the end of a stream, so that more can be written behind it."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if _is_event(content[whole:]):  # all of it but its end of line
        with path.open("ab") as file:
            file.write(b"\n")
        return
    while whole and not _is_event(content[content.rfind(b"\n", 0, whole - 1) + 1 : whole - 1]):
        whole = content.rfind(b"\n", 0, whole - 1) + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)


def _is_event(line: bytes) -> bool:
    try:
        EVENTS.validate_json(line)
    except ValidationError:
        return False
    return True


@dataclass(frozen=True)
class History:
    """A run that was begun. `facts` is run.json, `events` the stream so far."""

    folder: Path
    facts: Mapping[str, Any]
    events: tuple[Event, ...]

    @classmethod
    def read(cls, folder: Path) -> History:
        """Raises InputError for a folder that holds no run, or one that was cut off before its settings were written."""
        path = folder / "run.json"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{folder} is no folder of a run: {path.name} cannot be read ({error})", hint="autoft runs") from None
        try:
            facts = json.loads(text)
        except ValueError:
            facts = None
        if not isinstance(facts, dict) or not isinstance(facts.get("settings"), dict):
            raise InputError(f"{folder}: the run was cut off before its settings were written", hint="start it again: autoft run")
        stream = folder / "events.jsonl"
        return cls(folder, facts, tuple(read_events(stream)) if stream.exists() else ())

    @property
    def run_id(self) -> str:
        return str(self.facts["run_id"])

    @property
    def started(self) -> bool:
        """Whether the run told that it began."""
        return any(isinstance(event, RunStarted) for event in self.events)

    @property
    def ended(self) -> RunFinished | None:
        """How it ended, where it has a result."""
        for event in reversed(self.events):
            if isinstance(event, RunStarted | RunResumed | RunFinished):
                return event if isinstance(event, RunFinished) else None
        return None

    @property
    def budget(self) -> float | None:
        """That of the last session, in seconds."""
        told = [event.budget for event in self.events if isinstance(event, RunStarted | RunResumed)]
        given = self.facts["settings"].get("budget")
        return told[-1] if told else given

    @property
    def spent(self) -> float:
        """Seconds that the run was alive: of each session, from its process's start to its last event."""
        total, begun, last = 0.0, None, 0.0
        for event in self.events:
            if isinstance(event, RunStarted | RunResumed):
                total += 0.0 if begun is None else max(0.0, last - begun)
                begun = event.started if isinstance(event, RunResumed) else float(self.facts.get("started", event.time))
            last = event.time
        return total + (0.0 if begun is None else max(0.0, last - begun))

    @property
    def baselined(self) -> bool:
        """Whether baselines are done with: one has ended, or what comes after them has begun."""
        if any(isinstance(event, StageStarted) and event.stage in BEFORE_THE_END[1:] for event in self.events):
            return True
        return any(trial.start.stage == "baselines" and trial.end is not None and not trial.cut for trial in self.trials.values())

    @property
    def searching(self) -> bool:
        """Whether the search had begun."""
        return any(isinstance(event, StageStarted) and event.stage in SEARCHES for event in self.events)

    @property
    def searched(self) -> bool:
        """Whether the search had ended by itself. One that the user ended, of a run that was then left, goes on."""
        over = stopping = False
        for event in self.events:
            if isinstance(event, RunStarted | RunResumed | StopRequested):
                stopping = isinstance(event, StopRequested)
            elif isinstance(event, StageStarted) and event.stage not in BEFORE_THE_END:
                over = over or not stopping
        return over

    @cached_property
    def trials(self) -> Mapping[int, Begun]:
        """By number."""
        found: dict[int, Begun] = {}
        stopping = False
        for place, event in enumerate(self.events):
            if isinstance(event, RunStarted | RunResumed | StopRequested):
                stopping = isinstance(event, StopRequested)
            elif isinstance(event, TrialStarted):
                found[event.trial] = Begun(event, place)
            elif isinstance(event, TrialFinished) and event.trial in found:
                begun = found[event.trial]
                found[event.trial] = Begun(begun.start, begun.place, event, stopping and event.status == "stopped")
        return found

    @property
    def rows(self) -> list[TrialFinished]:
        """The trials that ended, by number."""
        return [trial.end for _, trial in sorted(self.trials.items()) if trial.end is not None]

    def of_search(self) -> tuple[Past, ...]:
        """See `SearchRequest.history`. A trial that was stopped for the user's sake has not ended."""
        found: list[Past] = []
        for place, event in enumerate(self.events):
            if not isinstance(event, TrialStarted | TrialReported | TrialFinished):
                continue
            trial = self.trials.get(event.trial)
            if trial is None or trial.start.stage != "search" or place < trial.place:
                continue
            if isinstance(event, TrialStarted) or (trial.end is not None and not trial.cut):
                found.append(event)
        return tuple(found)


@dataclass(frozen=True)
class Begun:
    """A trial by its last start, which is at `place` in the stream. `cut`: it ended since the user wished the run to."""

    start: TrialStarted
    place: int
    end: TrialFinished | None = None
    cut: bool = False
