"""Which points to try first, from what each of many came to on each of some sets.

Greedy: the next point is the one that most lowers the mean over the sets of the regret of the best so far, as in Feurer and others,
Auto-sklearn 2.0 (JMLR 2022). The regret of a point on a set is 0 for the best that was measured on it and 1 for the worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, inf
from statistics import mean
from typing import Any

from autoft.interfaces.problem import Metric
from autoft.interfaces.space import Hyperparameters
from portfolio.points import by_hand

MOST = 4
"""Points of a portfolio."""


@dataclass(frozen=True)
class OnSet:
    """What was measured on a set: the figure of each point, the mean over its seeds, and of those that come to the same settings there one
    name."""

    metric: Metric
    figures: Mapping[str, float]
    same: Mapping[str, str]

    @property
    def worst_and_best(self) -> tuple[float, float]:
        """The figures of regret 1 and 0."""
        ordered = sorted(self.figures.values(), key=self.metric.key)
        return ordered[0], ordered[-1]

    def regrets(self) -> dict[str, float]:
        """0 for the best, 1 for the worst; 0 for all where they are alike."""
        worst, best = self.worst_and_best
        return {name: (best - value) / (best - worst) if best != worst else 0.0 for name, value in self.figures.items()}

    def course(self, order: Iterable[str]) -> list[float]:
        """The regret of the best so far after each of `MOST` trials: points that come to the same settings are tried once, and where
        there are no more the last one stays."""
        regrets, tried = self.regrets(), list(dict.fromkeys(self.same[name] for name in order))[:MOST]
        best = [min(regrets[name] for name in tried[:many]) for many in range(1, len(tried) + 1)]
        return best + best[-1:] * (MOST - len(best))

    def by_chance(self) -> list[float]:
        """The same, to be expected of a random order of all settings."""
        regrets = self.regrets()
        values = sorted(regrets[name] for name in set(self.same.values()))
        return [_least(values, min(many, len(values))) for many in range(1, MOST + 1)]


def _least(values: Sequence[float], many: int) -> float:
    """The least of `many` drawn without putting back, to be expected; `values` ascend."""
    ways = comb(len(values), many)
    return sum(value * comb(len(values) - place - 1, many - 1) for place, value in enumerate(values)) / ways


@dataclass(frozen=True)
class Measured:
    """All sets. `points` are those measured on each of them, in relative terms; `left_out` those that are missing on some."""

    sets: Mapping[str, OnSet]
    points: Mapping[str, Hyperparameters]
    left_out: tuple[str, ...]


def measured(rows: Iterable[Mapping[str, Any]]) -> Measured:
    """From rows of one source; of a set, a point and a seed the last row counts, and none of files that have changed since. Raises
    ValueError where a point has other terms on one set than on another, and where no point was measured on all."""
    rows = list(rows)
    files = {row["set"]: row["sha256"] for row in rows}
    latest: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    terms: dict[str, Hyperparameters] = {}
    for row in rows:
        for name, told in row["points"].items() if row["sha256"] == files[row["set"]] else ():
            latest.setdefault(row["set"], {}).setdefault(name, {})[row["seed"]] = row
            if terms.setdefault(name, told) != told:
                raise ValueError(f"{name} is {told} on {row['set']} and {terms[name]} elsewhere: these are rows of other points")
    everywhere = {point: terms[point] for point in sorted(terms, key=_place) if all(point in found for found in latest.values())}
    if not everywhere:
        raise ValueError("no point was measured on all sets")
    sets = {name: _on_set({point: found[point] for point in everywhere}) for name, found in latest.items()}
    return Measured(sets, everywhere, tuple(sorted(set(terms) - set(everywhere), key=_place)))


def _place(name: str) -> tuple[bool, bool, int]:
    """The default, then the points made by hand, then the drawn ones."""
    _, _, number = name.partition(" ")
    return not by_hand(name), bool(number), int(number or 0)


def _on_set(rows: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> OnSet:
    """By point and seed."""
    some = {name: next(iter(seeds.values())) for name, seeds in rows.items()}
    first: dict[str, str] = {}
    same = {name: first.setdefault(repr(sorted(row["hyperparameters"].items())), name) for name, row in some.items()}
    facts = next(iter(some.values()))
    metric = Metric(name=facts["metric"], greater_is_better=facts["greater_is_better"])
    return OnSet(metric, {name: mean(row["best"] for row in seeds.values()) for name, seeds in rows.items()}, same)


def mined(regrets: Iterable[Mapping[str, float]], points: Sequence[str]) -> list[str]:
    """At most `MOST` of `points` in the order in which they are to be tried; `regrets` are those of each set. Of points that lower the mean
    alike, or not at all any more, the one comes first that has the least regret by itself."""
    regrets, left, chosen = list(regrets), list(points), list[str]()
    best = [inf] * len(regrets)

    def lowered(point: str) -> list[float]:
        return [min(least, one[point]) for least, one in zip(best, regrets, strict=True)]

    while left and len(chosen) < MOST:
        chosen.append(min(left, key=lambda point: (mean(lowered(point)), mean(one[point] for one in regrets))))
        left.remove(chosen[-1])
        best = lowered(chosen[-1])
    return chosen


def mined_without(found: Measured, left: str | None) -> list[str]:
    """The portfolio of all sets but one."""
    return mined([one.regrets() for name, one in found.sets.items() if name != left], list(found.points))


def made_by_hand(found: Measured) -> list[str]:
    """The default and the points that were tried after it before anything was mined."""
    return [name for name in found.points if by_hand(name)]


def left_one_out(found: Measured) -> dict[str, dict[str, Any]]:
    """On each set, after one to `MOST` trials: the regret of the portfolio mined on the others, of the points made by hand, and to be
    expected of a random order of all points."""
    hand = made_by_hand(found)
    return {
        name: {
            "order": (order := mined_without(found, name)),
            "mined": one.course(order),
            "by hand": one.course(hand),
            "random": one.by_chance(),
        }
        for name, one in found.sets.items()
    }
