"""What the report shows beside result.json and the leaderboard. Every part is optional: what is absent is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from autoft.interfaces.events import EVENTS, Event, Remark, RunResumed, StageStarted, TrialReported
from autoft.interfaces.problem import Frozen
from autoft.runtime.schemas import AnswerKind


class Confusion(Frozen):
    """`matrix[i][j]`: rows of class i that were answered j. Shape (labels, labels)."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, labels: Sequence[str], truths: Sequence[str], answers: Sequence[str]) -> Confusion:
        """Count. Raises KeyError for a label that is not among `labels`."""
        place = {label: i for i, label in enumerate(labels)}
        counts = [[0] * len(labels) for _ in labels]
        for truth, answer in zip(truths, answers, strict=True):
            counts[place[truth]][place[answer]] += 1
        return cls(labels=tuple(labels), matrix=tuple(tuple(row) for row in counts))


class Tally(Frozen):
    """Of a label, or of a kind of entity: how often it was there, was answered, and was both."""

    name: str
    rows: int
    answered: int
    right: int
    threshold: float | None = None

    @property
    def recall(self) -> float | None:
        return self.right / self.rows if self.rows else None

    @property
    def precision(self) -> float | None:
        return self.right / self.answered if self.answered else None

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.rows + self.answered) if self.rows + self.answered else 0.0


State: TypeAlias = Literal["right", "missed", "invented"]


class Span(Frozen):
    """Characters [start, end) of a text that are an entity by the file ("missed"), by the model ("invented"), or by both ("right")."""

    start: int
    end: int
    name: str
    state: State


class Marked(Frozen):
    """A piece of an input with the entities in it."""

    text: str
    spans: tuple[Span, ...]


class Mistake(Frozen):
    """A wrong answer, as texts. `input` has several parts where the model takes several; `score` is how sure the model was, 0 to 1."""

    input: str | tuple[str, ...]
    truth: str
    answer: str
    score: float | None = None


class Certainty(Frozen):
    """Test answers of like probability: how many, what they were said to be likely, and how often what was said was so; both 0 to 1."""

    rows: int
    said: float
    right: float


class Kept(Frozen):
    """The test rows whose answer has at least the probability `threshold`: their share of all, and how many of them are right, 0 to 1."""

    threshold: float
    share: float
    right: float | None


class CurvePoint(Frozen):
    """`progress` in percent of the trial; `value` is the run's metric on the validation rows; `utilisation` since the point before."""

    progress: float
    value: float | None = None
    loss: float | None = None
    utilisation: float | None = None


class Curve(Frozen):
    """The evaluations of one trial."""

    trial: int
    points: tuple[CurvePoint, ...]

    @property
    def utilisation(self) -> float | None:
        """Of the whole trial: what was done over the time that it took, where equal steps of progress are equal work. None where a point
        does not tell."""
        starts = (0.0, *(point.progress for point in self.points))
        work = [point.progress - start for point, start in zip(self.points, starts, strict=False)]
        time = sum(done / point.utilisation for done, point in zip(work, self.points, strict=True) if point.utilisation)
        return sum(work) / time if time and all(point.utilisation for point in self.points) else None


class StageTime(Frozen):
    """`start` and `seconds` in seconds, `start` since the epoch."""

    name: str
    start: float
    seconds: float


class Combination(Frozen):
    """One comparison of the proof: rows a batch, units a row, padding added, largest absolute difference."""

    batch: int
    length: int | None = None
    padding: int | str | bool | None = None
    difference: float


class ProofTable(Frozen):
    """`ProofTable.model_validate(proof.model_dump())` takes an autoft.proof.Proof."""

    passed: bool
    rounding: str | None = None
    max_difference: float
    tolerance: float | None = None
    combinations: tuple[Combination, ...] = ()
    rows: int = 0
    changed_labels: int = 0
    reasons: tuple[str, ...] = ()


class ReportData(Frozen):
    """The optional parts of report.html.

    `kind` is what the answers hold; `classes` counts the rows of each class; `tallies` are of labels or of kinds of entities; `points`
    are (truth, answer) where answers are numbers; `marked` are rows with wrong entities; `certainties` hold probabilities against the
    truth, `kept` what is left where answers that are less sure are left out. `curves`, `stages` and `notes` that are None are
    read from the run's folder.
    """

    title: str = ""
    data: str = ""
    classes: dict[str, int] = Field(default_factory=dict)
    greater_is_better: bool = True
    confusion: Confusion | None = None
    kind: AnswerKind | None = None
    mistakes: tuple[Mistake, ...] = ()
    tallies: tuple[Tally, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    marked: tuple[Marked, ...] = ()
    certainties: tuple[Certainty, ...] = ()
    kept: tuple[Kept, ...] = ()
    curves: tuple[Curve, ...] | None = None
    proof: ProofTable | None = None
    stages: tuple[StageTime, ...] | None = None
    notes: tuple[str, ...] | None = None


def completed(data: ReportData, folder: Path, metric: str) -> ReportData:
    """`data` with what the run's folder knows."""
    events = read_events(folder / "events.jsonl")
    found: dict[str, Any] = {}
    if data.curves is None:
        found["curves"] = read_curves(folder, metric)
    if data.stages is None:
        found["stages"] = _stages(events)
    if data.notes is None:
        found["notes"] = tuple(("Warning: " if e.level == "warning" else "") + e.text for e in events if isinstance(e, Remark))
    return data.model_copy(update=found)


def read_events(path: Path) -> list[Event]:
    """The events that can be read; half a last line is no trouble."""
    found: list[Event] = []
    for line in _lines(path):
        try:
            found.append(EVENTS.validate_json(line))
        except ValidationError:
            continue
    return found


def read_curves(folder: Path, metric: str) -> tuple[Curve, ...]:
    """From trials/*/curve.jsonl, by trial."""
    curves = []
    for path in folder.glob("trials/*/curve.jsonl"):
        points = []
        for line in _lines(path):
            try:
                event = TrialReported.model_validate_json(line)
            except ValidationError:
                continue
            loss, utilisation = event.measures.get("train_loss"), event.measures.get("utilisation")
            points.append(CurvePoint(progress=event.progress, value=event.metrics.get(metric), loss=loss, utilisation=utilisation))
        if points and path.parent.name.isdigit():
            curves.append(Curve(trial=int(path.parent.name), points=tuple(points)))
    return tuple(sorted(curves, key=lambda curve: curve.trial))


def _stages(events: Sequence[Event]) -> tuple[StageTime, ...]:
    """A stage lasts until the next, or until the run was cut off."""
    marks = [place for place, event in enumerate(events) if isinstance(event, StageStarted | RunResumed)]
    found = []
    for place, following in pairwise([*marks, len(events)]):
        stage = events[place]
        if isinstance(stage, StageStarted):
            whole = following < len(events) and isinstance(events[following], StageStarted)
            end = events[following if whole else following - 1].time
            found.append(StageTime(name=stage.stage, start=stage.time, seconds=max(0.0, end - stage.time)))
    return tuple(found)


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
    except OSError:
        return []
