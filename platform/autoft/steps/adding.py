"""Rows from further files, to learn from and for nothing else: what is chosen by and judged on stays as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.names import counted
from autoft.data.splits import Splits
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task


@dataclass(frozen=True)
class Added:
    """`rows` with a column a role, and their `targets`; `read` rows were in the file."""

    rows: Table
    targets: npt.NDArray[Any]
    remarks: tuple[str, ...]
    read: int


def further_rows(table: Table, task: Task, problem: Problem, rows: Table) -> Added:
    """Those of a file's rows that may be learned from beside `rows`, whose inputs are none of these: all of `rows` are held out once, for
    the test, to choose by, or to confirm. Raises DataError where none is left."""
    usable = task.usable(problem, table)
    remarks = list(table.notes)
    if not usable.all():
        remarks.append(f"{int((~usable).sum()):,} of {counted(len(table), 'row')} of {table.origin} have no input or no label: left out")
    kept = table.take(np.flatnonzero(usable))
    inputs = task.inputs(problem, kept)
    known = {repr(record) for record in rows.records()}
    fresh = [number for number, record in enumerate(inputs.records()) if repr(record) not in known]
    twins = len(inputs) - len(fresh)
    if twins:
        have = "has an input that stands" if twins == 1 else "have inputs that stand"
        remarks.append(f"{twins:,} of {counted(len(inputs), 'row')} of {table.origin} {have} in the data already: left out")
    if not fresh:
        raise DataError(f"--add {table.origin}: no row is left to add", hint="leave the flag out; " + "; ".join(remarks))
    kept = kept.take(fresh)
    remarks.append(f"{counted(len(fresh), 'row')} of {table.origin} are added to those to learn from")
    return Added(inputs.take(fresh), task.targets(problem, kept), tuple(remarks), len(table))


def with_added(splits: Splits, rows: int, added: int) -> Splits:
    """The same parts, of `rows` rows now, the last `added` of which are learned from and never held out."""
    places = np.arange(rows - added, rows, dtype=np.int64)
    folds = None if splits.folds is None else np.concatenate([splits.folds, np.full(added, -1, np.int64)])
    return replace(splits, train=np.concatenate([splits.train, places]), folds=folds)
