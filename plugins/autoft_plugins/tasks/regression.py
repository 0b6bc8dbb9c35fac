"""A number: what text-regression and pair-score share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.numerals import Numerals, always_three, looks_like_number, numerals_of, two_readings
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder
from autoft_plugins.tasks.fields import column, column_names, shown, where
from autoft_plugins.tasks.metrics import mean_absolute_error, r2, spearman
from autoft_plugins.tasks.text_task import TextTask

MOST_STRATA, ROWS_A_STRATUM = 10, 20
_LARGEST = float(np.finfo(np.float32).max)


class Regression(TextTask):
    """Targets are numbers (n,) float32 in the user's units, outputs `logits` (n, 1) in the same."""

    kind = "regression"

    def labelled(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Not-a-number is no missing target but a wrong one: `targets` refuses it."""
        values = column(problem, table, "label")
        return np.fromiter((isinstance(value, float) or not is_missing(value) for value in values), np.bool_, len(table))

    def form(self, draft: Problem, table: Table) -> dict[str, object]:
        """Raises DataError where a mark may part thousands or fractions."""
        values = column(draft, table, "label")
        (name,) = column_names(draft, table, "label")
        numerals = numerals_of(values)
        open_ = two_readings(values, numerals)
        if open_ is not None:
            row, plain, grouped = open_
            what = f"{where(table, row, name)}: {values[row]!r} may be {plain:.12g} or {grouped:.12g}, and no other row tells which"
            raise DataError(what, hint=f"write {grouped:.12g} for thousands, or {plain:.4f} with another digit for a fraction")
        remarks = numerals.remarks(values)
        three = always_three(values, numerals)
        if three is not None:
            small, great = three.strip(), three.strip().replace(".", "")
            remarks.append(f"every number of {name!r} has three digits behind a point: {small} is read so, not as {great}")
        return {"numerals": asdict(numerals), "remarks": remarks} if remarks else {}

    def learned(self, draft: Problem, rows: Table) -> Problem:
        """Raises DataError where all targets are equal."""
        targets = self.targets(draft, rows)
        if targets.min() == targets.max():
            (name,) = column_names(draft, rows, "label")
            what = f"{rows.origin}: all {len(rows)} rows have the number {targets[0]:g} (column {name!r}); there is nothing to learn"
            raise DataError(what, hint="name another column: --label NAME")
        return draft

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        (name,) = column_names(problem, table, "label")
        found = np.empty(len(table), np.float32)
        kept = problem.extra.get("numerals")
        numerals = Numerals(**kept) if isinstance(kept, dict) else Numerals()
        for row, value in enumerate(table[name]):
            number = _number(value, numerals)
            if number is None:
                raise _no_number(table, row, name, numerals)
            found[row] = number
        return found

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:  # noqa: ARG002
        """Bins of about equally many rows; equal targets share one."""
        bins = min(MOST_STRATA, max(1, len(targets) // ROWS_A_STRATUM))
        edges = np.quantile(targets, np.arange(1, bins) / bins)
        codes: npt.NDArray[np.int64] = np.searchsorted(edges, targets, side="left").astype(np.int64)
        return codes

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:  # noqa: ARG002
        """The mean: the best of all constants for squared errors and so for R2; for absolute errors the median would be better."""
        return {"logits": np.full((rows, 1), np.mean(targets, dtype=np.float64), np.float32)}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder({"function": "none"})

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:  # noqa: ARG002
        return outputs["logits"][:, 0]

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:  # noqa: ARG002
        figures = {"mae": mean_absolute_error, "r2": r2, "spearman": spearman}
        return {name: figures[name](targets, decisions) for name in self.metrics}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:  # noqa: ARG002
        """`{"score": number}` a row."""
        return [{"score": score} for score in outputs["logits"][:, 0].astype(np.float64).tolist()]


def _number(value: object, numerals: Numerals) -> float | None:
    """As far as float32 holds it."""
    number = numerals.read(value)
    return number if number is not None and abs(number) <= _LARGEST else None


def _no_number(table: Table, row: int, name: str, numerals: Numerals) -> DataError:
    """What is wrong with a cell, and whether it is one of few."""
    value, present = table[name][row], [one for one in table[name] if isinstance(one, float) or not is_missing(one)]
    good = [one for one in present if _number(one, numerals) is not None]
    place = where(table, row, name)
    if isinstance(value, str) and looks_like_number(value) and good:
        what = f"{place}: {value!r} looks like a number, but is written otherwise than {good[0]!r}"
        return DataError(what, hint="write all numbers alike, such as 1234.50, or name another column: --label NAME")
    said = repr(value) if isinstance(value, str) else shown(value)
    what = f"{place}: {said} is no number ({len(good)} of {len(present)} are)"
    return DataError(what, hint="correct it, leave it empty, or name another column: --label NAME")
