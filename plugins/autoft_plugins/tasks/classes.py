"""One class of several: what text-classification and pair-classification share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Link
from autoft_plugins.tasks.fields import column_names, shown, where
from autoft_plugins.tasks.metrics import accuracy, decisions, f1_macro, softmax
from autoft_plugins.tasks.text_task import TextTask
from autoft_plugins.tasks.texts import clean


def class_name(value: object) -> str:
    """The name of a label: 3 and 3.0 are both `3`. Raises TypeError for what is no label."""
    if isinstance(value, str):
        return clean(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        if isinstance(value, list | tuple | dict | set | bytes) or value is None:
            raise TypeError(f"{type(value).__name__} is no label")
        return str(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Numbers first and by size, then names."""
    return tuple(sorted(names, key=_order))


def _order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def unknown_label(place: str, name: str, labels: Sequence[str]) -> DataError:
    """A label of a further file that the file to learn from does not have."""
    close = nearest(name, labels)
    hint = f"did you mean {close!r}?" if close else "the classes are those of the training file; add rows of this one there"
    return DataError(f"{place}: {name!r} is none of the classes {listed(labels)}", hint=hint)


class Classification(TextTask):
    """Targets are class codes (n,) int64, outputs `logits` (n, classes), the decision is the greatest."""

    kind = "single_label_classification"
    metrics = ("f1_macro", "accuracy")
    link: Link = "softmax"

    def learned(self, draft: Problem, rows: Table) -> Problem:
        counts = Counter(_names(draft, rows))
        (label,) = column_names(draft, rows, "label")
        _check_classes(rows, label, counts)
        labels = in_order(counts)
        head = draft.head.model_copy(update={"outputs": len(labels)})
        extra = {**draft.extra, "class_counts": [counts[name] for name in labels]}
        return draft.model_copy(update={"labels": labels, "head": head, "extra": extra})

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        codes = {label: code for code, label in enumerate(problem.labels)}
        (column,) = column_names(problem, table, "label")
        found = np.empty(len(table), np.int64)
        for row, name in enumerate(_names(problem, table)):
            if name not in codes:
                raise unknown_label(where(table, row, column), name, problem.labels)
            found[row] = codes[name]
        return found

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:  # noqa: ARG002
        return targets

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        """Logarithms of the classes' shares; a class without a row counts half a one."""
        counts = np.maximum(np.bincount(targets, minlength=problem.head.outputs), 0.5)
        return {"logits": np.tile(np.log(counts / counts.sum()).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder({"function": "softmax"})

    def rescaled(self, decoder: Decoder, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Decoder:  # noqa: ARG002
        """The same: one factor for all classes leaves the greatest the greatest."""
        return decoder

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:  # noqa: ARG002
        return decisions(outputs["logits"])

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:
        return {"accuracy": accuracy(targets, decisions), "f1_macro": f1_macro(targets, decisions, problem.head.outputs)}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:  # noqa: ARG002
        """`{"label", "score", "scores": {class: probability}}` a row, unrounded."""
        answers: list[dict[str, Any]] = []
        best = decisions(outputs["logits"])
        for row, first in zip(softmax(outputs["logits"]).tolist(), best.tolist(), strict=True):
            answers.append({"label": problem.labels[first], "score": row[first], "scores": dict(zip(problem.labels, row, strict=True))})
        return answers


def _names(problem: Problem, table: Table) -> list[str]:
    """The class of each row. Raises DataError naming the row of a value that is none."""
    (column,) = column_names(problem, table, "label")
    names = []
    for row, value in enumerate(table[column]):
        if is_missing(value):
            raise DataError(f"{where(table, row, column)}: the label is missing", hint="fill it in, or leave the row out")
        try:
            names.append(class_name(value))
        except TypeError:
            what = f"{where(table, row, column)}: {shown(value)} is not one class"
            raise DataError(what, hint="name another column: --label NAME; lists of labels are learned by --task multi-label") from None
    return names


def _check_classes(table: Table, column: str, counts: Mapping[str, int]) -> None:
    rows = sum(counts.values())
    if len(counts) == 1:
        what = f"{table.origin}: all {rows} rows are of one class, {next(iter(counts))!r} (column {column!r}); two or more are needed"
        raise DataError(what, hint="add rows of another class, or name another column: --label NAME")
    single = sorted(name for name, count in counts.items() if count == 1)
    if len(single) > len(counts) / 2 and len(counts) > rows / 2:
        what = f"{table.origin}: the column {column!r} holds {len(counts)} different values in {rows} rows, so it is hardly a class"
        raise DataError(what, hint="name another: --label NAME")
    if single:
        have = "the class {} has" if len(single) == 1 else "the classes {} have"
        what = f"{table.origin}: {have.format(listed(single, 6))} one row (column {column!r}); at least 2 a class are needed"
        raise DataError(what, hint="add rows of it, join it with another class, or leave the row out")
