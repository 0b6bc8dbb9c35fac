"""What the test rows tell beside the figures. What is shown follows from what the answers hold, never from the name of the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.calibration import binned
from autoft.data.table import Table
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Task
from autoft.report.data import Certainty, Confusion, Kept, Marked, Mistake, Span, State, Tally
from autoft.runtime.schemas import answer_kind, schema_of

SHOWN = 12
"""Mistakes."""
DRAWN = 1500
"""Points of a scatter plot."""
COMPARED = 500
"""Rows of texts that are scored one by one."""
PIECE = 600
"""Characters of a text with wrong entities that are shown, from a little before the first wrong one."""
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of certainty, below which an answer might be left to a person."""
_SURE = 50.0
"""A logit whose probability is one."""
_AT_ONCE = 64
"""Rows of logits in memory."""


@dataclass(frozen=True)
class Outcome:
    """The test rows: inputs by role, targets, decisions and answers, all with the rows as first axis."""

    task: Task
    problem: Problem
    decoder: Decoder
    rows: Table
    targets: npt.NDArray[Any]
    decisions: npt.NDArray[Any]
    answers: Sequence[Mapping[str, Any]]

    def input(self, row: int) -> str | tuple[str, ...]:
        """The row as it is shown: a text, or one for each of several inputs."""
        parts = tuple(str(self.rows[role][row]) for role in self.problem.inputs if role in self.rows)
        return parts[0] if len(parts) == 1 else parts


def findings(outcome: Outcome) -> dict[str, Any]:
    """Fields of `ReportData`; none where answers are of a kind that the report does not know, or targets do not go with them."""
    kind = answer_kind(schema_of(outcome.answers))
    found = _FINDERS[kind](outcome) if kind else None
    return {} if found is None else {"kind": kind, **found}


def class_counts(problem: Problem, targets: npt.NDArray[Any]) -> dict[str, int]:
    """Rows of each class or label; empty where targets are neither."""
    width = len(problem.labels)
    if not width or targets.dtype.kind not in "iub":
        return {}
    if targets.ndim == 1:
        counts = np.bincount(targets, minlength=width)
    elif problem.head.kind == "multi_label_classification":
        counts = targets.sum(0)
    else:
        return {}
    return dict(zip(problem.labels, counts.tolist(), strict=True))


# One class of several


def _classes(outcome: Outcome) -> dict[str, Any] | None:
    labels = outcome.problem.labels
    if not labels or outcome.targets.ndim != 1:
        return None
    truths = [labels[int(code)] for code in outcome.targets]
    said = [str(answer["label"]) for answer in outcome.answers]
    wrong = [
        Mistake(input=outcome.input(row), truth=truth, answer=answer, score=outcome.answers[row].get("score"))
        for row, (truth, answer) in enumerate(zip(truths, said, strict=True))
        if answer != truth
    ]
    found = {"confusion": Confusion.of(labels, truths, said), "mistakes": _surest(wrong)}
    sure, right = np.array([answer.get("score", np.nan) for answer in outcome.answers], np.float64), np.array(said) == np.array(truths)
    certainties = _certainties(sure, right)
    kept = tuple(_kept(sure, right, threshold) for threshold in THRESHOLDS) if certainties else ()
    return {**found, "certainties": certainties, "kept": kept}


def _certainties(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> tuple[Certainty, ...]:
    """`right` tells whether that was so of which `sure` is the probability; both of one length. Empty where it is no probability."""
    if not ((sure >= 0) & (sure <= 1)).all():
        return ()
    bins = zip(*(values.tolist() for values in binned(sure, right)), strict=True)
    return tuple(Certainty(rows=rows, said=said / rows, right=happened / rows) for rows, said, happened in bins if rows)


def _kept(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], threshold: float) -> Kept:
    kept = sure >= threshold
    return Kept(threshold=threshold, share=float(kept.mean()), right=float(right[kept].mean()) if kept.any() else None)


def _surest(mistakes: Sequence[Mistake]) -> tuple[Mistake, ...]:
    return tuple(sorted(mistakes, key=lambda mistake: -(mistake.score or 0.0))[:SHOWN])


# Any number of labels


def _labels(outcome: Outcome) -> dict[str, Any] | None:
    labels, truth, said = outcome.problem.labels, outcome.targets.astype(bool), outcome.decisions.astype(bool)
    if truth.shape != said.shape or truth.shape[1:] != (len(labels),):
        return None
    thresholds = _probabilities(outcome.decoder.arrays.get("cuts", np.full(len(labels), np.nan)))
    counts = zip(labels, truth.sum(0).tolist(), said.sum(0).tolist(), (truth & said).sum(0).tolist(), thresholds.tolist(), strict=True)
    tallies = tuple(
        Tally(name=name, rows=rows, answered=answered, right=right, threshold=None if np.isnan(threshold) else threshold)
        for name, rows, answered, right, threshold in counts
    )
    wrong = []
    for row in np.flatnonzero((truth != said).any(1)).tolist():
        scores = np.array([outcome.answers[row]["scores"].get(label, 0.0) for label in labels])
        sure = np.where(said[row], scores, 1 - scores)[truth[row] != said[row]].max()
        wrong.append(
            Mistake(input=outcome.input(row), truth=_listed(labels, truth[row]), answer=_listed(labels, said[row]), score=float(sure))
        )
    sure = np.array([[answer["scores"].get(label, 0.0) for label in labels] for answer in outcome.answers], np.float64)
    return {"tallies": tallies, "mistakes": _surest(wrong), "certainties": _certainties(sure.ravel(), truth.ravel())}


def _probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The logistic function, in the form that does not overflow."""
    made: npt.NDArray[np.float64] = (1 + np.tanh(np.asarray(logits, np.float64) / 2)) / 2
    return made


def _listed(labels: Sequence[str], there: npt.NDArray[np.bool_]) -> str:
    return ", ".join(label for label, one in zip(labels, there, strict=True) if one) or "no label"


# A number


def _numbers(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.targets.ndim != 1 or outcome.targets.dtype.kind != "f":
        return None
    truths, said = outcome.targets.astype(float), np.array([answer["score"] for answer in outcome.answers], dtype=float)
    farthest = np.argsort(-np.abs(said - truths), kind="stable")[:SHOWN]
    mistakes = [Mistake(input=outcome.input(row), truth=f"{truths[row]:.4g}", answer=f"{said[row]:.4g}") for row in farthest]
    return {"points": tuple(zip(truths[:DRAWN].tolist(), said[:DRAWN].tolist(), strict=True)), "mistakes": tuple(mistakes)}


# Spans of the input


def _entities(outcome: Outcome) -> dict[str, Any] | None:
    role = next((role for role in outcome.problem.inputs if role in outcome.rows and isinstance(outcome.rows[role][0], str)), None)
    if role is None or outcome.targets.ndim != 2 or not outcome.problem.labels:
        return None
    pairs = [(_spans(truth), _spans(answer)) for truth, answer in zip(_right_answers(outcome), outcome.answers, strict=True)]
    there = Counter(name for truth, _ in pairs for _, _, name in truth)
    answered = Counter(name for _, said in pairs for _, _, name in said)
    right = Counter(name for truth, said in pairs for _, _, name in truth & said)
    tallies = tuple(Tally(name=name, rows=there[name], answered=answered[name], right=right[name]) for name in sorted(there | answered))
    worst = sorted((row for row, (truth, said) in enumerate(pairs) if truth != said), key=lambda row: -len(pairs[row][0] ^ pairs[row][1]))
    return {"tallies": tallies, "marked": tuple(_marked(outcome.rows[role][row], *pairs[row]) for row in worst[:SHOWN])}


def _right_answers(outcome: Outcome) -> list[dict[str, Any]]:
    """What a model that is right and sure of it would answer: the task's own decoding of logits that point to the targets, zero where there
    is nothing to tell. Some rows at a time: these logits are many times as large as the targets."""
    sure = _SURE * np.eye(len(outcome.problem.labels), dtype=np.float32)
    answers: list[dict[str, Any]] = []
    for begin in range(0, len(outcome.targets), _AT_ONCE):
        targets = outcome.targets[begin : begin + _AT_ONCE]
        logits = sure[np.maximum(targets, 0)]
        logits[targets < 0] = 0.0
        rows = outcome.rows.take(np.arange(begin, begin + len(targets)))
        answers += outcome.task.decode(outcome.problem, Decoder(), {"logits": logits}, rows)
    return answers


_Entity = tuple[int, int, str]


def _spans(answer: Mapping[str, Any]) -> set[_Entity]:
    return {(entity["start"], entity["end"], entity["entity_group"]) for entity in answer["entities"]}


def _marked(text: str, truth: set[_Entity], said: set[_Entity]) -> Marked:
    begin = max(0, min(truth ^ said)[0] - PIECE // 6)
    end = begin + PIECE
    before, behind = "… " if begin else "", " …" if end < len(text) else ""
    states: dict[State, set[_Entity]] = {"right": truth & said, "missed": truth - said, "invented": said - truth}
    moved = begin - len(before)
    spans = [
        Span(start=start - moved, end=stop - moved, name=name, state=state)
        for state, entities in states.items()
        for start, stop, name in entities
        if begin <= start and stop <= end
    ]
    return Marked(text=before + text[begin:end] + behind, spans=tuple(sorted(spans, key=lambda span: (span.start, span.end))))


# A text


def _texts(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.targets.ndim != 1 or outcome.targets.dtype.kind not in "UO":
        return None
    metric = outcome.problem.metric
    scored = []
    for row in range(min(len(outcome.answers), COMPARED)):
        figures = outcome.task.score(outcome.problem, outcome.targets[row : row + 1], outcome.decisions[row : row + 1])
        scored.append((metric.key(figures[metric.name]), row))
    shown = [(row, str(outcome.targets[row]), str(outcome.answers[row]["text"])) for _, row in sorted(scored)[:SHOWN]]
    return {"mistakes": tuple(Mistake(input=outcome.input(row), truth=truth, answer=said) for row, truth, said in shown if said != truth)}


_FINDERS: Mapping[str, Callable[[Outcome], dict[str, Any] | None]] = {
    "classes": _classes,
    "labels": _labels,
    "score": _numbers,
    "entities": _entities,
    "text": _texts,
}
