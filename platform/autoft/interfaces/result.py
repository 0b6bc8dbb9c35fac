"""result.json: fields may be added, never changed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from autoft.interfaces.events import RunStatus
from autoft.interfaces.problem import Frozen

Figures = dict[str, float | None]
"""None where a figure is not a number."""


class BaselineResult(Frozen):
    """The cheap candidate and its figures."""

    candidate: str
    validation: Figures
    test: Figures


class BestResult(BaselineResult):
    """The winner."""

    trial: int = Field(description="the folder trials/<trial>")
    hyperparameters: dict[str, Any]


class Verified(Frozen):
    """The proof in short; the whole of it is in the bundle's autoft.json."""

    passed: bool
    max_difference: float
    tolerance: float
    combinations: int
    rows: int = Field(description="validation rows whose predictions were compared")
    of_rows: int = Field(description="validation rows there are")
    changed_labels: int


class Utilisation(Frozen):
    """Core-seconds spent in training and evaluating, against all that the machine had meanwhile."""

    busy_core_seconds: float
    core_seconds: float
    share: float


class Result(Frozen):
    """A finished run."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    run_id: str
    status: RunStatus
    task: str
    columns: dict[str, str | list[str]]
    classes: list[str]
    metric: str
    seed: int
    budget: float | None
    seconds: float
    baseline: BaselineResult
    best: BestResult
    interval: dict[str, Figures] = Field(description="winner, baseline, lead: value, low, high on the test rows (95 %)")
    trials: int
    confirmed: dict[Literal["folds", "seeds"], int]
    refit: bool
    rows: dict[Literal["train", "validation", "test"], int]
    bundle: str
    verified: Verified
    utilisation: Utilisation
    verdict: str


class Unfinished(Frozen):
    """result.json of a run that failed or was aborted."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    run_id: str
    status: Literal["failed", "aborted"]
    reason: str
    trials: int
