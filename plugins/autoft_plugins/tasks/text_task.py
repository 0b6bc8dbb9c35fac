"""What every task on one text, or on a pair of texts, has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.names import nearest
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Head, Problem
from autoft.interfaces.task import Match
from autoft_plugins.tasks.fields import column, column_names, flag, requested_texts, texts_of, where
from autoft_plugins.tasks.metrics import metric_named
from autoft_plugins.tasks.texts import language, length_cap

FEWEST_ROWS = 10
PAIR = ("text", "text_pair")


class TextTask:
    """Inputs and their checks. A subclass names its `roles`, the `kind` of its head and its `metrics` (the first is the default), and
    learns the rest of the problem in `learned`."""

    name: str
    roles: tuple[str, ...] = ("text",)
    kind: str
    metrics: tuple[str, ...]

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        """From the rows that have inputs and a label; the others are not looked at."""
        wanted = self._metric(metric)
        draft = Problem(
            task=self.name,
            fields={role: tuple(match.columns[role]) for role in (*self.roles, "label")},
            inputs=self.roles,
            head=Head(kind=self.kind, outputs=1),
            metric=metric_named(wanted),
            seed=seed,
        )
        draft = draft.model_copy(update={"extra": self.form(draft, table)})
        usable = self.usable(draft, table)
        self._check_enough(draft, table, usable)
        rows = table.take(np.flatnonzero(usable))
        texts = list(self.inputs(draft, rows).columns.values())
        measured = {"max_length": length_cap(*texts), "language": language([text for side in texts for text in side])}
        return self.learned(draft.model_copy(update=measured), rows)

    def form(self, draft: Problem, table: Table) -> dict[str, object]:  # noqa: ARG002
        """How labels are written in `table`, for `Problem.extra`."""
        return {}

    def learned(self, draft: Problem, rows: Table) -> Problem:
        """`draft` with what the labels of `rows` tell. Raises DataError where they cannot be learned."""
        raise NotImplementedError

    def labelled(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Which rows have a label, shape (n,)."""
        return np.fromiter((not is_missing(value) for value in column(problem, table, "label")), np.bool_, len(table))

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Rows with a label and a text that is not blank; a pair with one blank side is `inputs`' to refuse."""
        sides = [column(problem, table, role) for role in problem.inputs]
        written = (not all(map(is_missing, row)) for row in zip(*sides, strict=True))
        return np.fromiter(written, np.bool_, len(table)) & self.labelled(problem, table)

    def inputs(self, problem: Problem, table: Table) -> Table:
        """A column of clean strings a role: a missing text is empty, numbers are written out. Raises DataError at lists and objects, and
        at a pair without one of its sides."""
        texts = {role: texts_of(problem, table, role) for role in problem.inputs}
        if len(texts) > 1:
            for role, side in texts.items():
                blank = [row for row, text in enumerate(side) if is_missing(text)]
                if blank:
                    raise self._half(problem, table, role, blank)
        return table.with_columns(texts)

    def _half(self, problem: Problem, table: Table, role: str, blank: Sequence[int]) -> DataError:
        (name,), (other,) = (column_names(problem, table, one) for one in (role, *(one for one in PAIR if one != role)))
        many = f"{len(blank)} of {len(table)} {'is' if len(blank) == 1 else 'are'}"
        alone = "text-regression" if self.kind == "regression" else "text-classification"
        return DataError(
            f"{where(table, blank[0], name)}: this side of the pair is empty ({many})",
            hint=f"fill it in, leave the row out, or learn from one side alone: --task {alone} --text {quote(other)}",
        )

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:
        texts = requested_texts(records, problem.inputs)
        for role, side in texts.items() if len(texts) > 1 else ():
            for row, text in enumerate(side, 1):
                if is_missing(text):
                    raise DataError(f"row {row}: the field {role!r} is empty", hint=f"both {' and '.join(problem.inputs)} need words")
        return Table(texts)

    def _metric(self, metric: str | None) -> str:
        if metric is None or metric in self.metrics:
            return metric or self.metrics[0]
        close = nearest(metric, self.metrics)
        hint = f"did you mean --metric {close}?" if close else f"for instance --metric {self.metrics[0]}"
        raise SettingsError(f"there is no metric {metric!r} in {self.name}; there are {', '.join(self.metrics)}", hint=hint)

    def _check_enough(self, draft: Problem, table: Table, usable: npt.NDArray[np.bool_]) -> None:
        for role in (*draft.inputs, "label"):
            names = column_names(draft, table, role)
            if len(names) == 1 and all(map(is_missing, table[names[0]])):
                what = f"the {role} column {names[0]!r} is empty in all {len(table)} rows"
                raise DataError(f"{table.origin}: {what}", hint=f"name another: {flag(role)}")
        if usable.sum() < FEWEST_ROWS:
            have = "two texts" if len(draft.inputs) > 1 else "a text"
            what = f"{usable.sum()} rows have {have} and a label, at least {FEWEST_ROWS} are needed"
            raise DataError(f"{table.origin}: {what}", hint="label more rows")
