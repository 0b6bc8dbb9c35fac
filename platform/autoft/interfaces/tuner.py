"""Tuners propose trials, run them side by side and stop those that do not pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from autoft.interfaces.model import Candidate, FitData
from autoft.interfaces.space import Space

if TYPE_CHECKING:
    from autoft.interfaces.events import Event


@dataclass(frozen=True)
class PluginFile:
    """A one-file plugin (`--plugin FILE`), which travels to workers by content."""

    name: str
    sha256: str
    text: str


@dataclass(frozen=True)
class SearchRequest:
    """`deadline` is a time on `time.time()` after which nothing runs on, or None: then no choice may depend on the clock.

    `named` are the candidates the user asked for by name: each gets a trial while the deadline allows.
    `first_number` is the number of the first trial. `stop_file`: once it exists, all trials end at their next step;
    its text is the reason. `later` gives a later deadline, once what has been measured allows one; it is asked again and again.
    """

    data: FitData
    candidates: Sequence[Candidate]
    spaces: Mapping[str, Space]
    named: frozenset[str]
    folder: Path
    plugin_files: tuple[PluginFile, ...]
    seed: int
    deadline: float | None
    trials: int | None
    gpu_hours: float | None
    concurrency: int | None
    stop_file: Path
    first_number: int = 1
    verbose: bool = False
    later: Callable[[], float | None] = lambda: None


@runtime_checkable
class Tuner(Protocol):
    """The plugin: a way to search."""

    name: str
    summary: str

    def search(self, request: SearchRequest, on_event: Callable[[Event], None]) -> None:
        """Run trials with `autoft.trial.run_trial` until the request's limits; tell of each by TrialStarted, TrialReported and
        TrialFinished. A trial that fails is an event, not an exception."""
        ...
