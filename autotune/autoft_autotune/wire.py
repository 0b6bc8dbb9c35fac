"""What passes between the driver and a worker: one order a trial, one result a step. Text, so that Ray has nothing to interpret."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from autoft.interfaces.events import TrialReported
from autoft.interfaces.space import Hyperparameters
from autoft.trial import TrialOutcome

TRIAL = "trial"
"""The only key of a trial's configuration."""

SCORE = "score"
"""The run's metric, turned so that greater is better."""

PERCENT = "percent"


@dataclass(frozen=True)
class TrialOrder:
    """A trial as it is ordered from a worker."""

    number: int
    candidate: str
    hyperparameters: Hyperparameters
    seed: int
    deadline: float | None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrialOrder:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Step:
    """One result: an evaluation or the end."""

    report: TrialReported | None
    ended: TrialOutcome | None
    seconds: float
    busy_seconds: float

    @property
    def outcome(self) -> TrialOutcome:
        if self.ended is None:
            raise ValueError("the trial has not ended")
        return self.ended


def report_result(report: TrialReported, key: float | None, seconds: float, busy_seconds: float) -> dict[str, Any]:
    """An evaluation. `key` is its score, greater is better; absent where there are no validation rows."""
    result = {"report": json.dumps(report.model_dump()), PERCENT: report.progress, "seconds": seconds, "busy_seconds": busy_seconds}
    return result if key is None else {**result, SCORE: key}


def outcome_result(outcome: TrialOutcome, key: float | None) -> dict[str, Any]:
    """The last result of a trial; the fitted model stays in the worker."""
    result = {
        "outcome": json.dumps(outcome.told()),
        PERCENT: outcome.progress,
        "seconds": outcome.seconds,
        "busy_seconds": outcome.busy_seconds,
    }
    return {"done": True, **result} if key is None else {"done": True, **result, SCORE: key}


def is_outcome(result: Mapping[str, Any]) -> bool:
    """Whether this is the last result of a trial."""
    return "outcome" in result


def read_result(result: Mapping[str, Any]) -> Step:
    """The inverse of the two above."""
    seconds, busy_seconds = float(result["seconds"]), float(result["busy_seconds"])
    if is_outcome(result):
        return Step(None, TrialOutcome(**json.loads(result["outcome"])), seconds, busy_seconds)
    return Step(TrialReported.model_validate(json.loads(result["report"])), None, seconds, busy_seconds)


def not_pickled(self: object) -> tuple[Callable[[], None], tuple[()]]:  # noqa: ARG001
    """A `__reduce__` for what Ray pickles beside its own configuration, into files that nobody reads."""
    return (_nothing, ())


def _nothing() -> None:
    return None
