"""All that happens in a run, as one typed stream. Every event is a line of events.jsonl."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from autoft.interfaces.problem import Frozen

Status: TypeAlias = Literal["running", "done", "stopped", "failed"]
RunStatus: TypeAlias = Literal["running", "done", "stopped", "failed", "aborted"]


class _Event(Frozen):
    time: float = Field(default_factory=time.time, description="seconds since the epoch")


class _RunFacts(_Event):
    run_id: str
    folder: str
    data: str
    task: str
    candidates: tuple[str, ...]
    budget: float | None
    metric: str


class RunStarted(_RunFacts):
    """The data is understood and run.json written."""

    event: Literal["run_started"] = "run_started"


class RunResumed(_RunFacts):
    """A run that was cut off goes on: what it told stands, and trials that had not ended may start again under their numbers.

    `budget` counts all sessions. A session lasts from its process's start to its last event.
    """

    event: Literal["run_resumed"] = "run_resumed"
    started: float = Field(description="when this session's process began, seconds since the epoch")
    spent: float = Field(description="seconds that the run was alive in the sessions before")


class StopRequested(_Event):
    """The user asked to finish with the best so far."""

    event: Literal["stop_requested"] = "stop_requested"
    reason: str


class StageStarted(_Event):
    """baselines, ranking, first points, search, all rows, confirmation, refit, averaging, distillation, export and proof, test, outlook."""

    event: Literal["stage_started"] = "stage_started"
    stage: str
    note: str = ""


class RankedSource(Frozen):
    """`score` is None where there was no evidence of a source, or no time to gather it; `rows` is how many it was gathered from."""

    source: str
    score: float | None
    rows: int
    seconds: float
    tuned: bool = Field(description="whether its candidates are tried")


class SourcesRanked(_Event):
    """Evidence was gathered, before anything was tuned, of which source promises most; the best first."""

    event: Literal["sources_ranked"] = "sources_ranked"
    measure: str = Field(description="what the scores are; the greater the better")
    ranking: tuple[RankedSource, ...]


class Remark(_Event):
    """Something the user should read: a choice with its reason, or a warning."""

    event: Literal["remark"] = "remark"
    level: Literal["info", "warning"] = "info"
    text: str


class TrialStarted(_Event):
    """A worker was handed a trial."""

    event: Literal["trial_started"] = "trial_started"
    trial: int
    candidate: str
    hyperparameters: dict[str, Any]
    stage: str = "search"


class TrialReported(_Event):
    """A trial was evaluated on the validation rows: a point of its learning curve.

    In a cross-validated trial a report follows each fold, and the last fit, and its figures are of all rows that the folds so far have held
    out: at 25, 50, 75 and 100 % where there are three folds and a last fit. They differ since the rows do, and tell of no learning.
    """

    event: Literal["trial_reported"] = "trial_reported"
    trial: int
    progress: int = Field(ge=0, le=100, description="percent of the trial's own horizon")
    metrics: dict[str, float]
    measures: dict[str, float] = Field(
        default_factory=dict,
        description="further numbers of the model; `utilisation` is its `flops_per_second` over what the trial's share of the machine can "
        "do at best",
    )


class TrialFinished(_Event):
    """`metrics` are those of the trial's best report, whose weights are kept; of a cross-validated trial those of its last one, which is of
    the most rows, and may be lower than one before it. `value` is their figure of the run's metric."""

    event: Literal["trial_finished"] = "trial_finished"
    trial: int
    candidate: str
    status: Status
    progress: int
    metrics: dict[str, float]
    value: float | None
    seconds: float
    hyperparameters: dict[str, Any]
    reason: str = ""
    stage: str = "search"
    busy_seconds: float = Field(default=0.0, description="core-seconds spent in training and evaluating")
    shared_seconds: float = Field(default=0.0, description="those of its seconds that further trials of its candidate will not need")
    rows: int | None = Field(
        default=None, description="how many rows it learned from, where these were a fixed part of the training rows; None: all of them"
    )


class RunFinished(_Event):
    """`result` is the content of result.json."""

    event: Literal["run_finished"] = "run_finished"
    run_id: str
    status: RunStatus
    result: dict[str, Any]


class RunFailedEvent(_Event):
    """A run ended without a model."""

    event: Literal["run_failed"] = "run_failed"
    run_id: str
    status: RunStatus
    reason: str


class BundleExported(_Event):
    """A run that had ended got further formats. `formats` are all of its bundle, as in result.json, the one that is served first."""

    event: Literal["bundle_exported"] = "bundle_exported"
    run_id: str
    formats: tuple[dict[str, Any], ...]


Event: TypeAlias = Annotated[
    RunStarted
    | RunResumed
    | StopRequested
    | StageStarted
    | SourcesRanked
    | Remark
    | TrialStarted
    | TrialReported
    | TrialFinished
    | RunFinished
    | RunFailedEvent
    | BundleExported,
    Field(discriminator="event"),
]

EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
"""Validates and parses one line of events.jsonl."""
