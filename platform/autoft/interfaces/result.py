"""result.json: fields may be added, never changed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from autoft.interfaces.events import RankedSource, RunStatus
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
    rows: int | None = Field(
        default=None,
        description="how many rows the trial learned from, where these were a part of the training rows; None: all of them",
    )
    averaged: list[int] = Field(
        default_factory=list, description="the trials whose weights the model is the mean of, `trial` among them; empty for one trial's own"
    )


class RunnerUp(Frozen):
    """The best trial of another candidate, or the next best trial where there is no other, held against the winner."""

    candidate: str
    trial: int
    validation: Figures
    rows: Literal["test", "validation"] | None = Field(description="which rows the interval is of; None where it was not measured")
    interval: dict[str, Figures] | None = Field(
        description="winner, runner_up, lead: value, low, high (95 %); of the winner's weights before the refit, where there was one"
    )


class Estimate(Frozen):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


Helps = Literal["yes", "no", "unclear"]


class Step(Frozen):
    """A trial that was the best so far when it ended."""

    seconds: float = Field(description="of all trials that had ended by then, added up")
    trial: int
    value: float


class MoreTime(Frozen):
    """Whether a longer search would help, by what the second half of this one added on the validation rows."""

    helps: Helps
    gain: Estimate | None = Field(description="turned so that greater is better; None where too few trials ended")
    course: list[Step]
    seconds: float = Field(description="of all trials, added up")
    untried: list[str] = Field(description="candidates that no trial was begun of")


class Size(Frozen):
    """The metric on the validation rows after learning from so many rows."""

    rows: int
    figure: Estimate


class MoreRows(Frozen):
    """Whether more rows would help, by a candidate that learned again from a quarter and from half of them."""

    helps: Helps
    candidate: str
    sizes: list[Size]
    twice: Size = Field(description="not measured: the line drawn on to twice as many rows")
    gain: Estimate = Field(description="from twice as many rows, turned so that greater is better")


class Outlook(Frozen):
    """Whether it pays to go on."""

    time: MoreTime
    rows: MoreRows | None = Field(description="None where there was no time, or no candidate that learns in seconds")


class RankedResult(RankedSource):
    """The place of a source, and whether it was right."""

    measure: str
    best_value_later: float | None = Field(description="the best validation figure of its trials; None where none came to one")


class Calibration(Frozen):
    """How far the probabilities of answers can be taken at their word, on validation rows that the judged weights never saw; and what was
    folded into the last layer to bring them nearer."""

    method: Literal["temperature", "platt"] | None = Field(
        default=None, description="temperature: one factor for all classes; platt: a scale and a shift a label; None: nothing was changed"
    )
    temperature: float | None = None
    folded: bool = Field(default=False, description="whether the weights hold it, in the folder and in the graph: nothing is left to apply")
    reason: str = Field(default="", description="why nothing was changed")
    rows: int
    ece_before: float | None = Field(default=None, description="expected calibration error over 15 bins, 0 to 1; less is better")
    ece_after: float | None = Field(default=None, description="of rows that were held out from the fit; None where nothing was changed")
    log_loss_before: float | None = None
    log_loss_after: float | None = None


class Distilled(Frozen):
    """A smaller model that learned from what the winner of the search answers."""

    teacher: str = Field(description="the winner's candidate")
    teacher_trial: int
    teacher_validation: dict[str, float]
    candidate: str
    trial: int
    validation: dict[str, float]


class Verified(Frozen):
    """The proof in short; the whole of it is in the bundle's autoft.json."""

    passed: bool
    max_difference: float
    tolerance: float
    combinations: int
    rows: int = Field(description="validation rows whose predictions were compared")
    of_rows: int = Field(description="validation rows there are")
    changed_labels: int


class FormatResult(Frozen):
    """A format of the bundle in short."""

    name: str
    bytes: int = Field(description="of its files")
    max_difference: float | None = Field(description="largest difference of any output from the fitted model's")
    agreement: float | None = Field(description="share of the decisions that are the fitted model's; None where they are numbers")
    rounding: str | None = Field(description="what it rounds; None where it has to give the very same answers")
    loss: dict[str, Any] | None = Field(description="what its rounding costs in the metric on validation rows")


class Option(Frozen):
    """An export that was held against the user's limits."""

    candidate: str
    trial: int
    format: str
    value: float | None = Field(description="the metric on the validation rows, less what rounding costs")
    p50_seconds: float = Field(description="of one row, as long as those of the data")
    p95_seconds: float
    bytes: int = Field(description="of all that is served")
    times_over: float = Field(description="the worse of time and size in multiples of its limit; 1 or less is within")
    front: bool = Field(default=False, description="none of the others is better in one of metric, time and size and no worse in the rest")


class LimitsResult(Frozen):
    """The user's limits, and what was tried within them."""

    max_latency_seconds: float | None
    max_bytes: int | None
    threads: int
    met: bool
    options: list[Option]


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
    runner_up: RunnerUp | None = Field(default=None, description="None where there was one trial only")
    outlook: Outlook | None = None
    ranking: list[RankedResult] = Field(
        default_factory=list, description="sources by cheap evidence, the best first, gathered before they were tuned"
    )
    trials: int
    confirmed: dict[Literal["folds", "seeds"], int]
    refit: bool
    rows: dict[Literal["train", "validation", "test"], int] = Field(
        description="after cross-validation those of `validation` are among those of `train`"
    )
    bundle: str
    verified: Verified
    calibration: Calibration | None = Field(default=None, description="None where answers have no probabilities that a scale could change")
    distilled: Distilled | None = Field(default=None, description="None where no smaller model was taught")
    limits: LimitsResult | None = Field(default=None, description="None where there were none")
    formats: list[FormatResult] = Field(default_factory=list, description="of the bundle, the one that is served first")
    refused: list[str] = Field(default_factory=list, description="formats that were asked for and are not among them, each with its reason")
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
