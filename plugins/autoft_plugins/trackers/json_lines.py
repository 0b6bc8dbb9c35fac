"""Plain JSON lines: flat records for whoever reads logs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from autoft.interfaces.events import Remark, RunFailedEvent, RunResumed, TrialFinished, TrialReported, TrialStarted
from autoft_plugins.trackers.telling import Begun, Ended, Telling, best_figures, figures, run_parameters

FILE = "tracked.jsonl"
VARIABLE = "AUTOFT_JSONL"
"""A file elsewhere that gets the lines, of several runs if need be."""


class JsonLines(Telling):
    """A line each: `{"time", "run", "trial", "what", ...}`. Needs no library."""

    name = "jsonl"
    summary = f"JSON lines, in {FILE} of the run's folder or in the file that {VARIABLE} names"

    def open(self, run_id: str, folder: Path) -> None:
        super().open(run_id, folder)
        path = Path(os.environ.get(VARIABLE) or folder / FILE)
        self._file = path.open("ab", buffering=0)  # a line is one write: runs that share a file do not tear each other's
        if _is_torn(path):
            self._file.write(b"\n")

    def close(self) -> None:
        self._file.close()

    def event(self, event: Any) -> None:
        super().event(event)
        if isinstance(event, Remark):
            self._write(event.time, "remark", level=event.level, text=event.text)

    def run_begun(self, event: Begun) -> None:
        what = "resumed" if isinstance(event, RunResumed) else "started"
        self._write(event.time, what, folder=str(self.folder), parameters=run_parameters(event, self.folder))

    def trial_begun(self, event: TrialStarted) -> None:
        told = {"candidate": event.candidate, "stage": event.stage, "parameters": event.hyperparameters}
        self._write(event.time, "trial_started", event.trial, **told)

    def trial_reported(self, event: TrialReported) -> None:
        self._write(event.time, "trial_reported", event.trial, step=event.progress, metrics={**event.metrics, **event.measures})

    def trial_ended(self, event: TrialFinished) -> None:
        told = {"candidate": event.candidate, "status": event.status, "reason": event.reason, "parameters": event.hyperparameters}
        self._write(event.time, "trial_finished", event.trial, step=event.progress, metrics=best_figures(event), **told)

    def run_ended(self, event: Ended) -> None:
        bundle = self.bundle(event)
        told: dict[str, Any] = {"status": event.status, "metrics": figures(event), "files": [str(path) for path in self.files()]}
        if isinstance(event, RunFailedEvent):
            told["reason"] = event.reason
        self._write(event.time, "ended", bundle=None if bundle is None else str(bundle), **told)

    def _write(self, time: float, what: str, trial: int | None = None, **told: Any) -> None:
        record = {"time": time, "run": self.run_id, "trial": trial, "what": what, **told}
        self._file.write(json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")


def _is_torn(path: Path) -> bool:
    """Whether the last line was cut off as its process was killed."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
