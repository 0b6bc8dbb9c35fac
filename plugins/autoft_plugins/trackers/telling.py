"""What all trackers tell of a run: one parent, a child a trial, and at the end the figures and the files."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias

from autoft.errors import SettingsError
from autoft.interfaces.events import (
    Event,
    RunFailedEvent,
    RunFinished,
    RunResumed,
    RunStarted,
    TrialFinished,
    TrialReported,
    TrialStarted,
)

FILES = ("report.html", "leaderboard.csv", "result.json")
"""What a run leaves that goes along whole; the bundle beside them."""

Begun: TypeAlias = RunStarted | RunResumed
Ended: TypeAlias = RunFinished | RunFailedEvent


class Telling(ABC):
    """Turns the stream into five calls. A run that is resumed begins again under the same `run_id` and in the same folder."""

    library: str | None = None
    extra = ""
    quiet: Mapping[str, str] = {}
    """Environment variables by which the library says less; what the user has set stays."""

    def __init__(self) -> None:
        self.run_id, self.folder = "", Path()

    def check(self) -> None:
        """Raises SettingsError where the library is not installed."""
        if self.library is not None and find_spec(self.library) is None:
            what = f"the tracker {self.extra} needs the library {self.library}, which is not installed"
            raise SettingsError(what, hint=f"pip install 'autoft[{self.extra}]'")

    def open(self, run_id: str, folder: Path) -> None:
        self.run_id, self.folder = run_id, folder
        for name, value in self.quiet.items():
            os.environ.setdefault(name, value)

    def event(self, event: Event) -> None:
        if isinstance(event, RunStarted | RunResumed):
            self.run_begun(event)
        elif isinstance(event, TrialStarted):
            self.trial_begun(event)
        elif isinstance(event, TrialReported):
            self.trial_reported(event)
        elif isinstance(event, TrialFinished):
            self.trial_ended(event)
        elif isinstance(event, RunFinished | RunFailedEvent):
            self.run_ended(event)

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def run_begun(self, event: Begun) -> None: ...

    @abstractmethod
    def trial_begun(self, event: TrialStarted) -> None:
        """Also of one that was begun before the run was cut off, and begins anew."""

    @abstractmethod
    def trial_reported(self, event: TrialReported) -> None: ...

    @abstractmethod
    def trial_ended(self, event: TrialFinished) -> None:
        """Also of one that never began in this session."""

    @abstractmethod
    def run_ended(self, event: Ended) -> None: ...

    def files(self) -> list[Path]:
        """Those of `FILES` that are there."""
        return [path for name in FILES if (path := self.folder / name).is_file()]

    def bundle(self, event: Ended) -> Path | None:
        """The folder that is served, where the run left one."""
        folder = self.folder / "bundle"
        return folder if isinstance(event, RunFinished) and folder.is_dir() else None


def run_parameters(event: Begun, folder: Path) -> dict[str, Any]:
    """What the run was asked for."""
    told = {
        "data": event.data,
        "task": event.task,
        "metric": event.metric,
        "budget": event.budget,
        "candidates": ",".join(event.candidates),
    }
    try:
        seed = json.loads((folder / "run.json").read_text(encoding="utf-8"))["settings"]["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return told
    return {**told, "seed": seed}


def figures(event: Ended) -> dict[str, float]:
    """The final figures: those of the best by `validation_` and `test_`, those of the baseline by `baseline_test_` and so on."""
    if not isinstance(event, RunFinished):
        return {}
    result = event.result
    found = {name: result.get(name) for name in ("trials", "seconds")}
    for who, prefix in (("best", ""), ("baseline", "baseline_")):
        for rows in ("validation", "test"):
            measured = (result.get(who) or {}).get(rows) or {}
            found |= {f"{prefix}{rows}_{name}": value for name, value in measured.items()}
    return numbers(found)


def best_figures(event: TrialFinished) -> dict[str, float]:
    """Of a trial that has ended: its best metrics by `best_`, and how long it took."""
    return numbers({**{f"best_{name}": value for name, value in event.metrics.items()}, "seconds": event.seconds})


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those that are numbers."""
    return {name: float(value) for name, value in values.items() if isinstance(value, Real) and not isinstance(value, bool)}


def plain(value: Any) -> str | int | float | bool:
    """A hyperparameter as every system takes it."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)
