"""Which rows are learned from, chosen by, and judged on: one split, made once, written to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows, Table

TRAIN, VALIDATION, TEST = 0, 1, 2

ORDERS = (8, 256)
"""The fewest and the most orders of groups that are tried."""
ORDERS_TIMES_ROWS = 10_000_000
"""Bounds the time of that: about a second."""


@dataclass(frozen=True)
class Splits:
    """Row numbers, int64, ascending; no row is in two parts.

    `groups` (n,) int64 are codes of rows that stay together by a column of the user's, `times` (n,) float64 what the rows were
    ordered by, seconds or numbers; None where the split knew none. Rows of the user's own validation and test files come last in
    both, with groups of their own and times of not-a-number.

    `folds` (n,) int64, where few rows are cross-validated in place of a part of their own: the round in which a row of `train` is
    held out, -1 for rows that never are; `validation` is empty then.
    """

    train: Rows
    validation: Rows
    test: Rows
    groups: npt.NDArray[np.int64] | None = None
    times: npt.NDArray[np.float64] | None = None
    folds: npt.NDArray[np.int64] | None = None

    def rounds(self) -> tuple[tuple[Rows, Rows], ...]:
        """Of each round of cross-validation the rows to learn from and those held out; none where there is a validation part."""
        if self.folds is None:
            return ()
        codes = self.folds[self.train]
        return tuple((self.train[codes != number], self.train[codes == number]) for number in range(int(codes.max()) + 1))

    def save(self, path: Path) -> None:
        """As npz with the arrays train, validation and test, and groups, times and folds where there are such."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        with path.open("wb") as file:
            np.savez_compressed(file, **{name: array for name, array in arrays.items() if array is not None})

    @classmethod
    def load(cls, path: Path) -> Splits:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})


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


def connected(*codings: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A code a row, shape (n,); rows that are alike in one of `codings` (n,) share it, and so do rows that others connect.

    Codes count up in order of appearance. Each round joins whole groups to the smallest they touch: their number at least halves.
    """
    codings = tuple(np.unique(codes, return_inverse=True)[1].reshape(-1) for codes in codings)
    root = np.arange(len(codings[0]))
    moved = True
    while moved:
        moved = False
        for codes in codings:
            least = np.full(codes.max(initial=-1) + 1, len(codes))
            np.minimum.at(least, codes, root)
            wanted = least[codes]
            if np.array_equal(wanted, root):
                continue
            moved = True
            parent = np.arange(len(root))
            np.minimum.at(parent, root, wanted)
            while not np.array_equal(parent, parent[parent]):
                parent = parent[parent]
            root = parent[root]
    return np.unique(root, return_inverse=True)[1].reshape(-1)


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
    _check_shares(test, validation)
    kinds = np.zeros(n, np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
    owner = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if len(kinds) != n or len(owner) != n:
        raise ValueError(f"{len(kinds)} strata and {len(owner)} groups for {n} rows")
    _, first = np.unique(owner, return_index=True)
    sizes = np.bincount(owner, minlength=len(first))
    part_of_group = _deal(kinds[first], sizes, np.random.default_rng(seed), test, validation)
    _bring_home(part_of_group, kinds, owner)
    return _parts(part_of_group[owner])


def split_groups(
    strata: npt.NDArray[np.int64] | None,
    groups: npt.NDArray[np.int64],
    seed: int,
    *,
    test: float = 0.15,
    validation: float = 0.2,
) -> Splits:
    """As `split`, for groups of many rows and several strata each, such as the users who wrote them.

    The groups are put in an order by chance and cut where the parts come closest to their shares: a part is off by no more than the
    largest group, unless a stratum would be missing from train. Of many such orders the one counts whose parts come nearest to their
    sizes and hold the strata in the most equal shares.
    """
    _check_shares(test, validation)
    owner = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    kinds = np.zeros(len(owner), np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
    if len(kinds) != len(owner):
        raise ValueError(f"{len(kinds)} strata for {len(owner)} rows")
    sizes = np.bincount(owner)
    rng = np.random.default_rng(seed)
    best, least = np.full(len(sizes), TRAIN), np.inf
    for _ in range(int(np.clip(ORDERS_TIMES_ROWS // max(1, len(owner)), *ORDERS))):
        part = _cut(sizes, rng.permutation(len(sizes)), test, validation)
        off = _unevenness(part[owner], kinds, test, validation)
        if off < least:
            best, least = part, off
    _bring_home(best, kinds, owner)
    return _parts(best[owner])


def split_by_time(
    times: npt.NDArray[np.float64], groups: npt.NDArray[np.int64] | None, *, test: float = 0.15, validation: float = 0.2
) -> Splits:
    """Train before validation before test, by `times` (n,); rows of one time stay together, and a group is where its first row is.

    The parts are as near to their shares as that allows; a part that has no time to itself is empty.
    """
    _check_shares(test, validation)
    own = np.asarray(times, dtype=np.float64) if groups is None else first_times(times, groups)
    _, moment, sizes = np.unique(own, return_inverse=True, return_counts=True)
    order = np.arange(len(sizes))
    return _parts(_cut(sizes, order[::-1], test, validation)[moment.reshape(-1)])


def first_times(times: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The earliest time of each row's group, shape (n,)."""
    owner = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    first = np.full(owner.max(initial=-1) + 1, np.inf)
    np.minimum.at(first, owner, times)
    return first[owner]


def deal_folds(
    strata: npt.NDArray[np.int64] | None, groups: npt.NDArray[np.int64], seed: int, folds: int, rounds: int
) -> npt.NDArray[np.int64]:
    """The fold of each row, shape (n,), -1 for those of folds from `rounds` on and for strata of a single group, which always train.

    Rows of one code in `groups` (n,) stay together. Largest first, a group goes where its stratum, then the fold, has fewest rows.
    """
    owner = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    kinds = np.zeros(len(owner), np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
    _, first = np.unique(owner, return_index=True)
    sizes, kind_of = np.bincount(owner), kinds[first]
    shuffled = np.random.default_rng(seed).permutation(len(first))
    held = np.zeros((kind_of.max(initial=0) + 1, folds), np.int64)
    alone = np.bincount(kind_of) == 1
    fold = np.full(len(first), -1)
    for group in shuffled[np.lexsort((kind_of[shuffled], -sizes[shuffled]))].tolist():
        kind = kind_of[group]
        if not alone[kind]:
            fold[group] = int(np.lexsort((held.sum(0), held[kind]))[0])
            held[kind, fold[group]] += sizes[group]
    return np.where(fold < rounds, fold, -1)[owner]


def _check_shares(test: float, validation: float) -> None:
    if min(test, validation) < 0 or test + validation >= 1:
        raise ValueError(f"shares of test {test} and validation {validation} leave nothing to learn from")


def _parts(part: npt.NDArray[np.int64]) -> Splits:
    train, held, final = (np.flatnonzero(part == code).astype(np.int64) for code in (TRAIN, VALIDATION, TEST))
    return Splits(train, held, final)


def _cut(sizes: npt.NDArray[np.int64], order: npt.NDArray[np.int64], test: float, validation: float) -> npt.NDArray[np.int64]:
    """The part of each unit: `order` cut twice, test first and train last, where the rows passed are nearest to the shares. Each part
    that has a share gets a unit while there are enough, train before test before validation."""
    part = np.full(len(sizes), TRAIN)
    passed = np.concatenate([[0], np.cumsum(sizes[order])])
    shares = {TEST: test, VALIDATION: validation}
    start, wanted = 0, 0.0
    for code, share in shares.items():
        later = 1 + (code == TEST and validation > 0)
        room = max(len(sizes) - later, min(start + 1, len(sizes) - 1))
        if share == 0 or room <= start:
            continue
        wanted += share * passed[-1]
        places = np.arange(start + 1, room + 1)
        end = int(places[np.argmin(np.abs(passed[places] - wanted))])
        part[order[start:end]] = code
        start = end
    return part


def _unevenness(part: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], test: float, validation: float) -> float:
    """How far the parts are from their shares of each stratum, in rows; a stratum that is missing from train counts as all its rows."""
    counts = np.bincount(3 * kinds + part, minlength=3 * (kinds.max(initial=0) + 1)).reshape(-1, 3)
    wanted = counts.sum(axis=1, keepdims=True) * np.array([1 - test - validation, validation, test])
    off = np.abs(counts - wanted).sum() + 3 * np.abs(counts.sum(axis=0) - wanted.sum(axis=0)).sum()
    return float(off + counts.sum(axis=1)[counts[:, TRAIN] == 0].sum())


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
