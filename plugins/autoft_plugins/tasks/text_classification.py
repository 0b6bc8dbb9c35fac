"""Text classification: one text in, one of several classes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder, Match
from autoft_plugins.tasks.metrics import accuracy, decisions, f1_macro, softmax
from autoft_plugins.tasks.roles import find_roles
from autoft_plugins.tasks.texts import clean, language, length_cap

METRICS = ("f1_macro", "accuracy")
"""The first is the default."""
FEWEST_ROWS = 10


class TextClassification:
    """Roles: `text` and `label`. Targets are class codes (n,) int64, outputs `logits` (n, classes)."""

    name = "text-classification"
    summary = "one text, one of several classes"

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return find_roles(table, given)

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        (text,), (label,) = match.columns["text"], match.columns["label"]
        wanted = _metric(metric)
        texts, labels = _learnable(table, text, label)
        classes = _classes(table, label, labels)
        counts = Counter(labels)
        return Problem(
            task=self.name,
            fields={"text": (text,), "label": (label,)},
            inputs=("text",),
            labels=classes,
            head=Head(kind="single_label_classification", outputs=len(classes)),
            metric=Metric(name=wanted),
            max_length=length_cap(texts),
            seed=seed,
            language=language(texts),
            extra={"class_counts": [counts[name] for name in classes]},
        )

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Rows whose text is not blank and whose label is not missing."""
        texts, labels = _column(problem, table, "text"), _column(problem, table, "label")
        pairs = zip(texts, labels, strict=True)
        return np.fromiter((not (is_missing(text) or is_missing(label)) for text, label in pairs), np.bool_, len(table))

    def inputs(self, problem: Problem, table: Table) -> Table:
        """The column `text`. A missing text is the empty string; numbers are written out. Raises DataError at lists and objects."""
        values = _column(problem, table, "text")
        texts = [clean(value) if isinstance(value, str) else _written(value, table, i) for i, value in enumerate(values)]
        return Table({"text": texts}, table.origin, table.notes, table.first_line)

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        codes = {label: code for code, label in enumerate(problem.labels)}
        values = _column(problem, table, "label")
        try:
            return np.fromiter((codes[class_name(value)] for value in values), np.int64, len(values))
        except (KeyError, TypeError):
            raise _unknown_label(problem, table, values, codes) from None

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:  # noqa: ARG002
        return targets

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        """Logarithms of the classes' shares; a class without a row counts half a one."""
        counts = np.maximum(np.bincount(targets, minlength=problem.head.outputs), 0.5)
        return {"logits": np.tile(np.log(counts / counts.sum()).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder({"function": "softmax"})

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

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:  # noqa: ARG002
        return Table({"text": [_checked(record, row) for row, record in enumerate(records, 1)]})


def class_name(value: object) -> str:
    """The name of a label: 3 and 3.0 are both `3`. Raises TypeError for what is no label."""
    if isinstance(value, str):
        return clean(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        if isinstance(value, list | tuple | dict | set | bytes) or value is None:
            raise TypeError(f"{type(value).__name__} is no label")
        return str(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _metric(metric: str | None) -> str:
    if metric is None:
        return METRICS[0]
    if metric in METRICS:
        return metric
    close = nearest(metric, METRICS)
    hint = f"did you mean --metric {close}?" if close else f"for instance --metric {METRICS[0]}"
    raise SettingsError(f"there is no metric {metric!r} in text-classification; there are {', '.join(METRICS)}", hint=hint)


def _learnable(table: Table, text: str, label: str) -> tuple[list[str], list[str]]:
    """The texts and class names of the rows that have both. Raises DataError when there are too few."""
    if all(map(is_missing, table[text])):
        raise DataError(f"{table.origin}: the text column {text!r} is empty in all {len(table)} rows", hint="name another: --text NAME")
    if all(map(is_missing, table[label])):
        raise DataError(f"{table.origin}: the label column {label!r} is empty in all {len(table)} rows", hint="name another: --label NAME")
    texts, labels = [], []
    for row, (one, value) in enumerate(zip(table[text], table[label], strict=True)):
        if is_missing(one) or is_missing(value):
            continue
        texts.append(clean(one) if isinstance(one, str) else _written(one, table, row))
        try:
            labels.append(class_name(value))
        except TypeError:
            what = f"{table.origin}, row {row + 1}: the label column {label!r} holds {_shown(value)}"
            raise DataError(f"{what}, which is not one class", hint="name another: --label NAME") from None
    if len(texts) < FEWEST_ROWS:
        what = f"{table.origin}: {len(texts)} rows have a text and a label, at least {FEWEST_ROWS} are needed"
        raise DataError(what, hint="label more rows; about 50 a class make a useful start")
    return texts, labels


def _classes(table: Table, column: str, labels: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(labels)
    if len(counts) == 1:
        what = f"{table.origin}: all {len(labels)} rows are of one class, {labels[0]!r} (column {column!r}); two or more are needed"
        raise DataError(what, hint="add rows of another class, or name another column: --label NAME")
    single = sorted(name for name, count in counts.items() if count == 1)
    if len(single) > len(counts) / 2 and len(counts) > len(labels) / 2:
        what = f"{table.origin}: the column {column!r} holds {len(counts)} different values in {len(labels)} rows, so it is hardly a class"
        raise DataError(what, hint="name another: --label NAME")
    if single:
        have = "the class {} has" if len(single) == 1 else "the classes {} have"
        what = f"{table.origin}: {have.format(listed(single, 6))} one row (column {column!r}); at least 2 a class are needed"
        raise DataError(what, hint="add rows of it, join it with another class, or leave the row out")
    return tuple(sorted(counts, key=_order))


def _order(name: str) -> tuple[bool, float, str]:
    """Numbers first and by size, then names."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _column(problem: Problem, table: Table, role: str) -> Sequence[Any]:
    """By the user's name for it, or by its role. Raises DataError with the nearest name."""
    name = problem.fields[role][0]
    if name in table:
        return table[name]
    if role in table:
        return table[role]
    close = nearest(name, table.names)
    where = table.origin or "the table"
    hint = f"is {close!r} the {role}? rename it {name!r}" if close else f"name the column with the {role} {name!r}"
    raise DataError(f"{where}: there is no column {name!r} ({role}); the columns are {listed(table.names)}", hint=hint)


def _written(value: object, table: Table, row: int) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, list | tuple | dict | set | bytes):
        where = f"{table.origin}, row {row + 1}"
        raise DataError(f"{where}: the text is {_shown(value)}, not a string", hint="name another column: --text NAME")
    return str(value)


def _unknown_label(problem: Problem, table: Table, values: Sequence[Any], codes: Mapping[str, int]) -> DataError:
    for row, value in enumerate(values, 1):
        where = f"{table.origin}, row {row}"
        if is_missing(value):
            return DataError(f"{where}: the label is missing", hint="fill it in, or leave the row out")
        try:
            name = class_name(value)
        except TypeError:
            return DataError(f"{where}: the label is {_shown(value)}, which is not one class")
        if name not in codes:
            close = nearest(name, problem.labels)
            hint = f"did you mean {close!r}?" if close else "the classes are those of the training file; add rows of this one there"
            return DataError(f"{where}: {name!r} is none of the classes {listed(problem.labels)}", hint=hint)
    raise AssertionError("every label is known")


def _checked(record: Mapping[str, Any], row: int) -> str:
    if not isinstance(record, Mapping):
        raise DataError(f"row {row}: {_shown(record)} is not an object", hint='send {"text": "..."}')
    if "text" not in record:
        close = nearest("text", map(str, record))
        has = f"; it has {listed(map(str, record), 6)}" if record else ""
        raise DataError(f"row {row}: the field 'text' is missing{has}", hint=f"is {close!r} the text?" if close else 'send {"text": "..."}')
    value = record["text"]
    if not isinstance(value, str):
        raise DataError(f"row {row}: the field 'text' is {_shown(value)}, not a string", hint='send {"text": "..."}')
    return clean(value)


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
