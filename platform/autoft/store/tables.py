"""The tables. Times are seconds since the epoch, as in the events; a change here needs a migration beside it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict
from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

TRIAL_STATUSES = ("running", "done", "stopped", "failed")
RUN_STATUSES = ("running", "done", "stopped", "failed", "aborted")


class _RunFields(SQLModel):
    id: str = Field(primary_key=True, description="run id")
    folder: str = Field(index=True, description="the absolute path of the output folder")
    data: str
    task: str
    status: str = Field(index=True)
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    metric: str
    greater_is_better: bool = True
    budget: float | None = None
    best_candidate: str | None = None
    best_value: float | None = Field(default=None, description="validation figure of `metric`")
    verdict: str = ""
    formats: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON, description="of the bundle, as in result.json")
    reason: str = Field(default="", description="why the run failed or was aborted")
    seconds: float | None = None
    created: float = Field(index=True)
    finished: float | None = None
    host: str = Field(default="", description="the machine of the run's process; empty when the run was read from its folder")
    pid: int = 0
    process: str = Field(default="", description="what tells the process from a later one with the same pid")


class _TrialFields(SQLModel):
    run_id: str = Field(primary_key=True, foreign_key="run.id")
    number: int = Field(primary_key=True, description="the k of trials/k")
    candidate: str
    status: str
    stage: str = "search"
    progress: int = 0
    metrics: dict[str, float | None] = Field(default_factory=dict, sa_type=JSON, description="None: not a number")
    value: float | None = None
    seconds: float = 0.0
    busy_seconds: float = 0.0
    hyperparameters: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    reason: str = ""
    started: float
    finished: float | None = None
    rows: int | None = Field(default=None, description="how many it learned from, where these were a part of the training rows")


class _ArtifactFields(SQLModel):
    run_id: str = Field(primary_key=True, foreign_key="run.id")
    path: str = Field(primary_key=True, description="relative to the run's folder, with forward slashes")
    kind: str
    sha256: str
    bytes: int = Field(sa_type=BigInteger)


class Run(_RunFields, table=True):
    """One `autoft run`."""


class Trial(_TrialFields, table=True):
    """A candidate with hyperparameters."""


class Artifact(_ArtifactFields, table=True):
    """A file that a run left."""


class RunRecord(_RunFields):
    """A run as it is read: a copy, not tied to the database."""

    model_config = ConfigDict(frozen=True)  # type: ignore[assignment]


class TrialRecord(_TrialFields):
    """A trial as it is read."""

    model_config = ConfigDict(frozen=True)  # type: ignore[assignment]


class ArtifactRecord(_ArtifactFields):
    """A file of a run as it is read."""

    model_config = ConfigDict(frozen=True)  # type: ignore[assignment]
