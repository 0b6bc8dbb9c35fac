"""Which rows are learned from, chosen by and judged on: by chance, by a column of groups, by time, or as the user's own files say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.names import listed, nearest
from autoft.data.splits import Splits, connected, deal_folds, duplicate_groups, first_times, split, split_by_time, split_groups
from autoft.data.table import Rows, Table
from autoft.data.times import read_times
from autoft.errors import DataError
from autoft.interfaces.model import FitData
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task
from autoft.settings import Settings
from autoft.trial import FEWEST_ROUNDS

SHARES = {"test": 0.15, "validation": 0.2}
"""Of all rows; 0 where the user gives a file."""
MOST = 5_000
"""Rows of a part that is split off, at most: the standard error of a share is then 0.7 points or less, and asking more takes minutes."""
FEWEST = 100
"""A validation part that would have fewer rows says too little: then all rows but the test part are cross-validated."""
PART, WORTH_PART = 20_000, 30_000
"""Rows that the trials of a search learn from at first, and the training rows from which on these are spared enough by it."""
FOLDS = 5
"""As many of these are held out in turn as `FEWEST` rows take, and `FEWEST_ROUNDS` at least."""

_Times = npt.NDArray[np.float64]


def without_split_columns(table: Table, settings: Settings) -> Table:
    """What the tasks are shown: the columns of `--group` and `--time` are neither inputs nor labels.

    Raises DataError where one is absent, with the nearest name.
    """
    taken = {flag: name for flag, name in (("group", settings.group), ("time", settings.time)) if name is not None}
    for flag, name in taken.items():
        if name not in table:
            close = nearest(name, table.names)
            hint = f"did you mean --{flag} {close}?" if close else f"--{flag} NAME names one of them"
            raise DataError(f"{table.origin}: there is no column {name!r} for --{flag}; the columns are {listed(table.names)}", hint=hint)
    return table.with_columns({name: values for name, values in table.columns.items() if name not in taken.values()})


def with_times(table: Table, settings: Settings) -> tuple[Table, list[str]]:
    """The rows that have a time where `--time` names a column, and a remark on the others. Raises DataError where a value is no time."""
    if settings.time is None:
        return table, []
    known = np.isfinite(read_times(table, settings.time))
    if known.all():
        return table, []
    said = f"{int((~known).sum())} of {len(table)} rows of {table.origin} have no {settings.time!r} and are left out"
    return table.take(np.flatnonzero(known)), [said]


def deal(
    settings: Settings,
    task: Task,
    problem: Problem,
    parts: Mapping[str, Table],
    inputs: Mapping[str, Table],
    targets: Mapping[str, npt.NDArray[Any]],
) -> tuple[Splits, list[str]]:
    """The split of the rows of `inputs`, one table after the other, and what to say of it.

    `parts` are the user's own columns of the same rows. Raises DataError when a part would be empty.
    """
    strata = task.strata(problem, targets["data"])
    same = duplicate_groups(inputs["data"])
    own = len(inputs["data"])
    shares = {part: 0.0 if part in inputs else min(share, MOST / own) for part, share in SHARES.items()}
    groups = times = None
    if settings.time is not None:
        times = read_times(parts["data"], settings.time)
        made = split_by_time(times, same, **shares)
    elif settings.group is not None:
        groups = connected(_codes(parts["data"], settings.group), same)
        made = split_groups(strata, groups, settings.seed, **shares)
    else:
        made = split(strata, same, own, settings.seed, **shares)
    start, found = own, {"train": made.train, "validation": made.validation, "test": made.test}
    for part in ("validation", "test"):
        if part in inputs:
            found[part] = np.arange(start, start + len(inputs[part]), dtype=np.int64)
            start += len(inputs[part])
    for part, rows in found.items():
        if not len(rows):
            raise _too_few(settings, parts["data"], part, groups, times)
    planned, folds = len(found["validation"]), None
    if planned < FEWEST and "validation" not in inputs and times is None and "validation_rows" not in problem.extra:
        learnable = np.union1d(found["train"], found["validation"])
        folds = fold_codes(strata, same if groups is None else groups, learnable, start, settings.seed)
    if folds is not None:
        found |= {"train": learnable, "validation": np.empty(0, dtype=np.int64)}
    extra = np.arange(start - own)
    splits = Splits(
        **found,
        folds=folds,
        groups=None if groups is None else np.concatenate([groups, len(groups) + extra]),
        times=None if times is None else np.concatenate([times, np.full(len(extra), np.nan)]),
    )
    validation = "" if folds is not None else f" {len(splits.validation):,} validation,"
    said = f"split: {len(splits.train):,} train,{validation} {len(splits.test):,} test rows"
    if times is not None:
        how, more = _by_time(str(settings.time), parts, splits, times, same)
        more += _unseen_classes(problem, targets, splits, own)
    elif groups is not None:
        how, more = _by_group(str(settings.group), parts)
    else:
        how, more = ("stratified" if strata is not None else "by chance"), []
    if folds is not None:
        more = [
            *more,
            f"trials are cross-validated, {len(splits.rounds())} of {FOLDS} folds: a part of {planned} rows would say too little",
        ]
    asked = len(evaluated(problem, splits.validation))
    if asked < len(splits.validation):
        more = [*more, f"trials are evaluated on {asked:,} of the validation rows: answers of this kind take long"]
    return splits, [f"{said}, {how}", *more]


def fold_codes(
    strata: npt.NDArray[np.int64] | None, groups: npt.NDArray[np.int64], rows: Rows, total: int, seed: int
) -> npt.NDArray[np.int64] | None:
    """`Splits.folds` for cross-validation of `rows` of `total`; None where the groups are too few to hold some out in each round."""
    rounds = int(np.clip(-(-FEWEST * FOLDS // len(rows)), FEWEST_ROUNDS, FOLDS))
    codes = np.full(total, -1, dtype=np.int64)
    codes[rows] = deal_folds(None if strata is None else strata[rows], groups[rows], seed, FOLDS, rounds)
    return codes if set(range(rounds)) <= set(codes.tolist()) else None


def learning(problem: Problem, rows: Table, targets: npt.NDArray[Any], splits: Splits, cache: Path) -> FitData:
    """What the trials of a run learn from and are judged by."""
    rounds = splits.rounds()
    held = np.concatenate([held for _, held in rounds]) if rounds else evaluated(problem, splits.validation)
    return FitData(problem, rows, targets, splits.train, held, cache, folds=rounds)


def evaluated(problem: Problem, validation: Rows) -> Rows:
    """The validation rows that trials are evaluated on: all, or a fixed sample of as many as the task allows."""
    most = problem.extra.get("validation_rows")
    if not isinstance(most, int) or len(validation) <= most:
        return validation
    return np.sort(np.random.default_rng(problem.seed).permutation(validation)[:most])


def part_to_learn(problem: Problem, task: Task, targets: npt.NDArray[Any], train: Rows) -> Rows | None:
    """About `PART` of the training rows, as many of each stratum as its share, one at least; the same whenever it is asked for. None where
    there are fewer than `WORTH_PART`."""
    if len(train) < WORTH_PART:
        return None
    parted = split(task.strata(problem, targets[train]), None, len(train), problem.seed, test=0.0, validation=1 - PART / len(train))
    return train[parted.train]


def _codes(table: Table, column: str) -> npt.NDArray[np.int64]:
    """A code a row; a row without a value has one of its own."""
    seen: dict[object, int] = {}
    keys = (_key(value, row) for row, value in enumerate(table[column]))
    return np.fromiter((seen.setdefault(key, len(seen)) for key in keys), np.int64, len(table))


def _key(value: object, row: int) -> object:
    """What makes two values one: 7, 7.0 and "7 " are the same user, whichever way a file wrote them."""
    if isinstance(value, str):
        return value.strip() or row
    if is_missing(value):
        return row
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _too_few(settings: Settings, table: Table, part: str, groups: npt.NDArray[np.int64] | None, times: _Times | None) -> DataError:
    hint = "label more rows, or give --validation FILE and --test FILE"
    if times is not None:
        what = f"the time column {settings.time!r} has {len(np.unique(times))} different times, too few for a {part} part"
    elif groups is not None:
        count, largest = int(groups.max()) + 1, int(np.bincount(groups).max())
        what = f"{count} groups by {settings.group!r}, the largest of {largest} of {len(table)} rows, are too few for a {part} part"
    else:
        what = f"there are too few different rows for a {part} part"
    return DataError(f"{table.origin}: {what}", hint=hint)


def _by_group(column: str, parts: Mapping[str, Table]) -> tuple[str, list[str]]:
    values = [_key(value, -1) for value in parts["data"][column]]
    known = set(values) - {-1}
    alone = values.count(-1)
    how = f"grouped by {column}: {len(known):,} groups" + (f", and {alone:,} rows without a value, each by itself" if alone else "")
    said = []
    for part in ("validation", "test"):
        if part in parts and column in parts[part]:
            again = sum(_key(value, -1) in known for value in parts[part][column])
            if again:
                said.append(f"{again} of {len(parts[part])} {part} rows share their {column} with the data: the {part} figures flatter")
        elif part in parts:
            said.append(f"{parts[part].origin} has no column {column!r}: whether it shares groups with the data is not known")
    return how, said


def _by_time(column: str, parts: Mapping[str, Table], splits: Splits, times: _Times, same: npt.NDArray[np.int64]) -> tuple[str, list[str]]:
    """The borders in the user's own words, and whether the user's files keep to them."""
    values = parts["data"][column]
    first = first_times(times, same)
    own = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    borders, said = [], []
    latest = -np.inf
    for part, rows in own.items():
        if part not in parts:
            leading = rows[times[rows] == first[rows]]
            end = int(leading[np.argmax(times[leading]) if part == "train" else np.argmin(times[leading])])
            borders.append(
                f"{'trained up to' if part == 'train' else 'validated from' if part == 'validation' else 'tested from'} {values[end]}"
            )
            latest = max(latest, float(first[rows].max()))
        elif column in parts[part]:
            early = int((read_times(parts[part], column) <= latest).sum())
            if early:
                what = f"{early} of {len(parts[part])} {part} rows are not later than all rows before that part"
                said.append(f"{what}: the {part} figures may flatter")
        else:
            said.append(f"{parts[part].origin} has no column {column!r}: whether its rows are later is not known")
    late = sum(int((times[own[part]] > first[own[part]].max()).sum()) for part in ("train", "validation") if part not in parts)
    if late:
        said.append(f"{late} rows repeat an earlier one and stay in its part, though they are of a later time")
    return f"time ({column}): {', '.join(borders)}", said


def _unseen_classes(problem: Problem, targets: Mapping[str, npt.NDArray[Any]], splits: Splits, own: int) -> list[str]:
    """Time may bring new classes, which no split of the rows can put into train."""
    codes = targets["data"]
    if not problem.labels or codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
        return []
    missing = np.setdiff1d(codes, codes[splits.train[splits.train < own]])
    names = [problem.labels[code] for code in missing.tolist()]
    return [f"no row to learn from is of {listed(names, 6)}: they come later than the train part"] if names else []
