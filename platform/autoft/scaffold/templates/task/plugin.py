"""Grades: one text, one of several classes in order. To be off by one costs less than to be off by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import autoft
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder, Match, Task


class Grades:
    """Roles: `text` and `label`, whole numbers. The answer is the median of what the model thinks likely, which errs by the least."""

    name = "example-plugin"
    summary = "one text, one of several grades in order"

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        text, label = given.get("text", ("text",)), given.get("label", ("stars",))
        if text[0] not in table or label[0] not in table or not all(type(value) is int for value in table[label[0]] if value is not None):
            return None
        return Match(0.5, {"text": text, "label": label}, f"text is read from {text[0]}, grades in order from {label[0]}")

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        """Raises DataError for a single grade, SettingsError for another metric."""
        grades = sorted({value for value in table[match.columns["label"][0]] if type(value) is int})
        if len(grades) < 2:
            raise DataError(f"{table.origin}: all rows have one grade", hint="add rows of another one")
        if metric not in (None, "mae", "accuracy"):
            raise SettingsError(f"there is no metric {metric!r} in {self.name}", hint="--metric mae, or accuracy")
        roles, labels = dict(match.columns), tuple(map(str, grades))
        head = Head(kind="single_label_classification", outputs=len(grades))
        chosen = Metric(name=metric or "mae", greater_is_better=metric == "accuracy")
        return Problem(task=self.name, fields=roles, inputs=("text",), labels=labels, head=head, metric=chosen, max_length=128, seed=seed)

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        (text,), (label,) = problem.fields["text"], problem.fields["label"]
        return np.array([bool(str(words or "").strip()) and type(n) is int for words, n in zip(table[text], table[label], strict=True)])

    def inputs(self, problem: Problem, table: Table) -> Table:
        """Raises DataError where the column is absent."""
        (name,) = problem.fields["text"]
        if name not in table:
            raise DataError(f"{table.origin}: there is no column {name!r}", hint=f"there are {', '.join(table.names)}")
        return Table({"text": [str(value or "") for value in table[name]]}, table.origin)

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[np.int64]:
        """Codes (n,): the place of the grade in their order. Raises DataError naming the row."""
        codes = {label: code for code, label in enumerate(problem.labels)}
        found = [str(value) for value in table[problem.fields["label"][0]]]
        unknown = next((row for row, value in enumerate(found) if value not in codes), None)
        if unknown is not None:
            where = f"{table.origin}, row {table.number(unknown)}"
            raise DataError(f"{where}: {found[unknown]!r} is none of the grades {', '.join(problem.labels)}")
        return np.array([codes[value] for value in found], np.int64)

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:  # noqa: ARG002
        return targets

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        shares = np.maximum(np.bincount(targets, minlength=problem.head.outputs), 0.5)
        return {"logits": np.tile(np.log(shares / shares.sum()).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder()

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[np.int64]:  # noqa: ARG002
        return np.asarray(np.argmax(np.cumsum(_likely(outputs["logits"]), axis=1) >= 0.5, axis=1))

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:  # noqa: ARG002
        return {"mae": float(np.abs(targets - decisions).mean()), "accuracy": float((targets == decisions).mean())}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:  # noqa: ARG002
        likely, decided = _likely(outputs["logits"]), self.decide(problem, decoder, outputs)
        return [{"label": problem.labels[code], "score": float(row[code])} for row, code in zip(likely, decided, strict=True)]

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:  # noqa: ARG002
        """Raises DataError naming the row."""
        wrong = next((row for row, record in enumerate(records, 1) if not isinstance(record.get("text"), str)), None)
        if wrong is not None:
            raise DataError(f"row {wrong}: the field 'text' is no text")
        return Table({"text": [record["text"] for record in records]})


def _likely(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities (n, grades)."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@autoft.hookimpl
def autoft_register_tasks() -> Sequence[Task]:
    """What the entry point gives to autoft."""
    return [Grades()]
