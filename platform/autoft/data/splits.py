"""Which rows are learned from, chosen by, and judged on: one split, made once, written to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows, Table

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Splits:
    """Row numbers, int64, ascending; no row is in two parts."""

    train: Rows
    validation: Rows
    test: Rows

    def save(self, path: Path) -> None:
        """As npz with the arrays train, validation and test."""
        with path.open("wb") as file:
            np.savez_compressed(file, train=self.train, validation=self.validation, test=self.test)

    @classmethod
    def load(cls, path: Path) -> Splits:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(*(arrays[part].astype(np.int64) for part in ("train", "validation", "test")))


def duplicate_groups(table: Table) -> npt.NDArray[np.int64]:
    """A code a row, shape (n,); rows whose values are all equal share one. Codes count up in order of appearance."""
    columns = list(table.columns.values())
    if len(columns) == 1:
        return _codes(columns[0])
    return _codes(list(zip(*columns, strict=True)))


def _codes(values: Sequence[object]) -> npt.NDArray[np.int64]:
    seen: dict[object, int] = {}
    try:
        codes = [seen.setdefault(value, len(seen)) for value in values]
    except TypeError:
        seen.clear()
        codes = [seen.setdefault(repr(value), len(seen)) for value in values]
    return np.asarray(codes, dtype=np.int64)


def split(
    strata: npt.NDArray[np.int64] | None,
    groups: npt.NDArray[np.int64] | None,
    n: int,
    seed: int,
    *,
    test: float = 0.15,
    validation: float = 0.2,
) -> Splits:
    """Part `n` rows by a fixed seed; `test` and `validation` are shares of all rows, 0 gives an empty part.

    `strata` (n,) are codes, e.g. classes, that each part holds in equal shares: one with rows in 3 groups or more is in
    each part, and every one is in train. Rows of one code in `groups` (n,) stay together; a group of several strata
    counts where its first row belongs.
    Raises ValueError when the shares leave nothing to learn from.
    """
    if min(test, validation) < 0 or test + validation >= 1:
        raise ValueError(f"shares of test {test} and validation {validation} leave nothing to learn from")
    kinds = np.zeros(n, np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
    owner = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if len(kinds) != n or len(owner) != n:
        raise ValueError(f"{len(kinds)} strata and {len(owner)} groups for {n} rows")
    _, first = np.unique(owner, return_index=True)
    sizes = np.bincount(owner, minlength=len(first))
    part_of_group = _deal(kinds[first], sizes, np.random.default_rng(seed), test, validation)
    _bring_home(part_of_group, kinds, owner)
    part = part_of_group[owner]
    train, held, final = (np.flatnonzero(part == code).astype(np.int64) for code in (TRAIN, VALIDATION, TEST))
    return Splits(train, held, final)


def _deal(
    strata: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rng: np.random.Generator, test: float, validation: float
) -> npt.NDArray[np.int64]:
    """The part of each group. What rounding takes from a stratum goes to the next, so that totals hold with many small ones."""
    part = np.full(len(strata), TRAIN)
    shuffled = rng.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    starts = np.flatnonzero(np.diff(strata[by_stratum])) + 1
    owed = {TEST: 0.0, VALIDATION: 0.0}
    members = [one for one in np.split(by_stratum, starts) if len(one)]
    for number in rng.permutation(len(members)):
        mine = members[number]
        left = mine
        for code, share in ((TEST, test), (VALIDATION, validation)):
            if share == 0:
                continue
            wanted = share * float(sizes[mine].sum()) + owed[code]
            later = 1 + (code == TEST and validation > 0)
            taken = _fill(left, sizes, max(0, round(wanted)), at_least=len(mine) >= 3, keep=later if len(mine) >= 3 else 1)
            owed[code] = float(np.clip(wanted - float(sizes[taken].sum()), -1, 1))
            part[taken] = code
            left = left[~np.isin(left, taken)]
    return part


def _fill(groups: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], wanted: int, *, at_least: bool, keep: int) -> npt.NDArray[np.int64]:
    """Groups of about `wanted` rows together, in the given order; one (the smallest) where `at_least`, and `keep` are left over."""
    if len(groups) <= keep:
        return groups[:0]
    mine = sizes[groups]
    if mine.max() == 1:
        return groups[: min(max(wanted, int(at_least)), len(groups) - keep)]
    taken: list[int] = []
    room = wanted
    for group, size in zip(groups.tolist(), mine.tolist(), strict=True):
        if size <= room and len(taken) < len(groups) - keep:
            taken.append(group)
            room -= size
    if not taken and at_least:
        taken.append(int(groups[int(np.argmin(mine))]))
    return np.asarray(taken, dtype=np.int64)


def _bring_home(part: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]) -> None:
    """Move a group to train for each stratum that is not there: its rows all sit in groups dealt with another stratum."""
    known = set(kinds[part[owner] == TRAIN].tolist())
    for kind in sorted(set(kinds.tolist()) - known):
        part[owner[int(np.argmax(kinds == kind))]] = TRAIN
