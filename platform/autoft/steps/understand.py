"""From a file to a problem: which task, which columns, which rows for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.catalog import Catalog
from autoft.data.names import counted
from autoft.data.reading import STDIN, STDIN_NAME, read_table
from autoft.data.splits import Splits
from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.model import Limits
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task
from autoft.report import class_counts
from autoft.settings import Settings
from autoft.steps.adding import further_rows, with_added
from autoft.steps.parts import deal, with_times, without_split_columns
from autoft.steps.tasks import Found, find_task


@dataclass(frozen=True)
class Understood:
    """The data as the run sees it: `rows` has a column a role, `splits` number its rows; `read` rows were in the files."""

    data: Path
    task: Task
    problem: Problem
    reason: str
    rows: Table
    targets: npt.NDArray[Any]
    splits: Splits
    remarks: tuple[str, ...]
    found: Found
    read: int
    added: int = 0
    """The last so many of `rows`, which are learned from and never held out."""

    @property
    def learnable(self) -> npt.NDArray[np.int64]:
        """All rows that are not test."""
        return np.sort(np.concatenate([self.splits.train, self.splits.validation]))

    @property
    def passes(self) -> float:
        """How many times the training rows a trial learns from: in several fits, where it is cross-validated."""
        return 1.0 + sum(len(train) for train, _ in self.splits.rounds()) / len(self.splits.train)

    def for_trials(self, limits: Limits) -> Limits:
        """`limits` with the speed at which trials get on, of which a candidate counts one fit of the training rows."""
        return replace(limits, flops=limits.flops / self.passes)

    @property
    def validated(self) -> npt.NDArray[np.int64]:
        """The rows that trials may be judged by: the validation part, or what cross-validation holds out."""
        rounds = self.splits.rounds()
        return np.sort(np.concatenate([held for _, held in rounds])) if rounds else self.splits.validation


def understand(settings: Settings, catalog: Catalog) -> Understood:
    """Raises DataError with what to do; writes nothing."""
    readers, unloaded = list(catalog.readers.values()), catalog.unloaded("read it")
    if settings.data is None:
        raise SettingsError("no data was named", hint="autoft run data.csv")
    whole = read_table(settings.data, readers, unloaded)
    shown = without_split_columns(whole, settings)
    table, untimed = with_times(whole, settings)
    found = find_task(shown, given_columns(settings), settings.task, catalog)
    task, match = found.task, found.match
    problem = task.problem(table, match, metric=settings.metric, seed=settings.seed)
    parts = {"data": table}
    for part, path in (("validation", settings.validation), ("test", settings.test)):
        if path is not None:
            parts[part] = read_table(path, readers, unloaded)
    count = len(whole) + sum(len(read) for name, read in parts.items() if name != "data")
    remarks = [*(note for read in parts.values() for note in read.notes), *untimed]
    said = problem.extra.get("remarks")
    remarks += map(str, said) if isinstance(said, list) else ()
    remarks += [*found.notes, *([found.doubt] if found.doubt else [])]
    for name, read in parts.items():
        usable = task.usable(problem, read)
        if not usable.all():
            many = int((~usable).sum())
            lack = "lacks an input or a label and is" if many == 1 else "lack an input or a label and are"
            remarks.append(f"{many:,} of {counted(len(read), 'row')} of {read.origin or name} {lack} left out")
            parts[name] = read.take(np.flatnonzero(usable))
        if not len(parts[name]):
            raise DataError(f"{read.origin or name}: no row has both an input and a label")
    inputs = {name: task.inputs(problem, read) for name, read in parts.items()}
    targets = {name: task.targets(problem, read) for name, read in parts.items()}
    remarks += _seen_before(inputs)
    rows = _joined(list(inputs.values()))
    problem = problem.model_copy(update={"data_sha256": whole.sha256()})
    splits, dealt = deal(settings, task, problem, parts, inputs, targets)
    data = Path(STDIN_NAME) if settings.data == STDIN else settings.data
    known = _stacked(list(targets.values()))
    own = len(rows)
    for path in settings.add:
        added = further_rows(read_table(path, readers, unloaded), task, problem, rows)
        rows, known, count = _joined([rows, added.rows]), _stacked([known, added.targets]), count + added.read
        splits, dealt = with_added(splits, len(rows), len(added.rows)), [*dealt, *added.remarks]
    problem = _counted(problem, known[splits.train])
    return Understood(data, task, problem, match.reason, rows, known, splits, (*remarks, *dealt), found, count, len(rows) - own)


def _counted(problem: Problem, train: npt.NDArray[Any]) -> Problem:
    """A task counts the classes of all rows; what is searched may follow from those to learn from alone."""
    counts = class_counts(problem, train)
    if "class_counts" not in problem.extra or not counts:
        return problem
    return problem.model_copy(update={"extra": {**problem.extra, "class_counts": list(counts.values())}})


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


def _stacked(targets: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The targets of all files, one behind the other. Where a row has a code a word, files differ in their longest row."""
    if targets[0].ndim != 2 or len({part.shape[1] for part in targets}) == 1:
        return np.concatenate(targets)
    width = max(part.shape[1] for part in targets)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-1) for part in targets])


def _joined(tables: Sequence[Table]) -> Table:
    columns = {name: [value for table in tables for value in table[name]] for name in tables[0].names}
    return Table(columns, tables[0].origin)
