"""From a file to a problem: which task, which columns, which rows for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.splits import Splits, duplicate_groups, split
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Match, Task
from autoft.settings import Settings


@dataclass(frozen=True)
class Understood:
    """The data as the run sees it: `rows` has a column a role, `splits` number its rows."""

    data: Path
    task: Task
    problem: Problem
    reason: str
    rows: Table
    targets: npt.NDArray[Any]
    splits: Splits
    remarks: tuple[str, ...]

    @property
    def learnable(self) -> npt.NDArray[np.int64]:
        """All rows that are not test."""
        return np.sort(np.concatenate([self.splits.train, self.splits.validation]))


def understand(settings: Settings, catalog: Catalog) -> Understood:
    """Raises DataError with what to do; writes nothing."""
    readers = list(catalog.readers.values())
    if settings.data is None:
        raise SettingsError("no data was named", hint="autoft run data.csv")
    table = read_table(settings.data, readers)
    task, match = _find_task(table, given_columns(settings), settings.task, catalog)
    problem = task.problem(table, match, metric=settings.metric, seed=settings.seed)
    parts = {"data": table}
    for part, path in (("validation", settings.validation), ("test", settings.test)):
        if path is not None:
            parts[part] = read_table(path, readers)
    remarks = [note for read in parts.values() for note in read.notes]
    for name, read in parts.items():
        usable = task.usable(problem, read)
        if not usable.all():
            remarks.append(f"{int((~usable).sum())} of {len(read)} rows of {read.origin or name} lack an input or a label and are left out")
            parts[name] = read.take(np.flatnonzero(usable))
        if not len(parts[name]):
            raise DataError(f"{read.origin or name}: no row has both an input and a label")
    inputs = {name: task.inputs(problem, read) for name, read in parts.items()}
    targets = {name: task.targets(problem, read) for name, read in parts.items()}
    remarks += _seen_before(inputs)
    rows = _joined(list(inputs.values()))
    problem = problem.model_copy(update={"data_sha256": table.sha256()})
    splits = _splits(task, problem, inputs, targets, settings.seed)
    return Understood(settings.data, task, problem, match.reason, rows, np.concatenate(list(targets.values())), splits, tuple(remarks))


def _seen_before(inputs: Mapping[str, Table]) -> list[str]:
    """The user's own parts may overlap: that is theirs to decide, and ours to say."""
    known = {repr(record) for record in inputs["data"].records()}
    found = []
    for part in ("validation", "test"):
        again = sum(repr(record) in known for record in inputs[part].records()) if part in inputs else 0
        if again:
            found.append(f"{again} of {len(inputs[part])} {part} rows stand in the data to learn from, too: the {part} figures flatter")
    return found


def given_columns(settings: Settings) -> dict[str, tuple[str, ...]]:
    """`--column ROLE=NAME` and its short forms."""
    given: dict[str, tuple[str, ...]] = {role: (name,) for role, name in settings.columns.items()}
    if settings.text:
        given["text"] = (settings.text,)
    if settings.label:
        given["label"] = (settings.label,)
    return given


def _find_task(table: Table, given: Mapping[str, tuple[str, ...]], wanted: str | None, catalog: Catalog) -> tuple[Task, Match]:
    tasks = [catalog.task(wanted)] if wanted else list(catalog.tasks.values())
    found: list[tuple[Task, Match]] = []
    refusals: list[DataError] = []
    for task in tasks:
        try:
            match = task.match(table, given)
        except DataError as refusal:
            refusals.append(refusal)
            continue
        if match is not None:
            found.append((task, match))
    if found:
        return max(found, key=lambda pair: pair[1].score)
    if refusals:
        raise refusals[0]
    raise DataError(
        f"{table.origin}: no task fits the columns {', '.join(table.names)} (tried {', '.join(task.name for task in tasks)})",
        hint="--text NAME and --label NAME name the columns; --task NAME names the task",
    )


def _joined(tables: Sequence[Table]) -> Table:
    columns = {name: [value for table in tables for value in table[name]] for name in tables[0].names}
    return Table(columns, tables[0].origin)


def _splits(task: Task, problem: Problem, inputs: Mapping[str, Table], targets: Mapping[str, npt.NDArray[Any]], seed: int) -> Splits:
    own = len(inputs["data"])
    strata = task.strata(problem, targets["data"])
    shares = {part: 0.0 if part in inputs else share for part, share in (("test", 0.15), ("validation", 0.2))}
    made = split(strata, duplicate_groups(inputs["data"]), own, seed, **shares)
    start, found = own, {"train": made.train, "validation": made.validation, "test": made.test}
    for part in ("validation", "test"):
        if part in inputs:
            found[part] = np.arange(start, start + len(inputs[part]), dtype=np.int64)
            start += len(inputs[part])
    for part, rows in found.items():
        if not len(rows):
            raise DataError(
                f"{inputs['data'].origin}: there are too few different rows for a {part} part",
                hint="label more rows, or give --validation FILE and --test FILE",
            )
    return Splits(**found)
