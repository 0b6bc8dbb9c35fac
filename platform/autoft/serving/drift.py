"""How far the traffic is from what the bundle was tested on: the population stability index of each quantity.

With shares p and q of the same bins, the index is the sum of (q - p) ln(q / p), which is Jeffreys' divergence (H. Jeffreys, "An invariant
form for the prior probability in estimation problems", 1946); it has its name and the customary limits 0.1 and 0.25 from credit scoring
(N. Siddiqi, "Credit Risk Scorecards", 2006). Two samples of one distribution of B bins give about (1/N + 1/M) times a chi-square of
B - 1 degrees of freedom (B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", 2020): its 95 % quantile
stands beside the index, and what is below it is said to be no shift.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.runtime.reference import Histogram, Reference

WINDOW = 1000
"""Values of a quantity: the last full window and the one that is being filled are held against the reference."""
FEWEST = 100
"""Values without which nothing is said."""
SOME, MUCH = 0.1, 0.25
_NORMAL_95 = 1.6448536
NO_REFERENCE = "the bundle was made without a reference: drift is not measured; a run made with this version of autoft leaves one"


def stability_index(expected: npt.ArrayLike, seen: npt.ArrayLike) -> float:
    """Of two histograms (bins,) of the same bins; bins that are empty in both do not count, and half a value more is in every other."""
    pair = np.stack([np.asarray(expected, np.float64), np.asarray(seen, np.float64)])
    pair = pair[:, pair.sum(axis=0) > 0] + 0.5
    p, q = pair / pair.sum(axis=1, keepdims=True)
    return float(((q - p) * np.log(q / p)).sum())


def by_chance(bins: int, expected: int, seen: int) -> float:
    """What the index of two samples of these sizes, of the same distribution, exceeds once in twenty times.

    The quantile of the chi-square is Wilson and Hilferty's approximation (1931).
    """
    freedom = max(1, bins - 1)
    part = 2 / (9 * freedom)
    return (1 / expected + 1 / seen) * freedom * (1 - part + _NORMAL_95 * math.sqrt(part)) ** 3


class _Stream:
    """The counts of one quantity."""

    def __init__(self, histogram: Histogram) -> None:
        self.histogram = histogram
        self.before = [0] * len(histogram.counts)
        self.now = self.before.copy()
        self._filled = 0

    def add(self, values: Sequence[Any]) -> None:
        for place in self.histogram.bins(values):
            self.now[place] += 1
        self._filled += len(values)
        if self._filled >= WINDOW:
            self.before, self.now, self._filled = self.now, [0] * len(self.now), 0

    def figures(self) -> dict[str, Any]:
        expected, seen = np.array(self.histogram.counts), np.add(self.before, self.now)
        many, known = int(seen.sum()), int(expected.sum())
        told: dict[str, Any] = {"values": many, "psi": None, "by_chance": None, "shift": None}
        if many >= FEWEST:
            used = int(((expected + seen) > 0).sum())
            index, chance = stability_index(expected, seen), by_chance(used, known, many)
            shift = "none" if index < max(SOME, chance) else "some" if index < MUCH else "much"
            told |= {"psi": round(index, 4), "by_chance": round(chance, 4), "shift": shift}
        bins = {"names": list(self.histogram.names)} if self.histogram.names else {"edges": list(self.histogram.edges)}
        return {**told, **bins, "expected": _shares(expected), "seen": _shares(seen)}


class Drift:
    """Counts what a model is asked and answers. Safe to call from several threads."""

    def __init__(self, reference: Reference | None) -> None:
        self.reference = reference
        self._streams = {name: _Stream(histogram) for name, histogram in reference.quantities.items()} if reference else {}
        self._lock = threading.Lock()

    def add(self, values: Mapping[str, Sequence[Any]]) -> None:
        """Values by quantity; those without a reference do not count."""
        with self._lock:
            for name, found in values.items():
                if name in self._streams:
                    self._streams[name].add([one for one in found if isinstance(one, str) or math.isfinite(one)])

    def figures(self) -> dict[str, Any]:
        """What `/info` says. `psi` and `shift` (none, some, much) are None until there are `FEWEST` values."""
        if self.reference is None:
            return {"reference": None, "reason": NO_REFERENCE}
        with self._lock:
            quantities = {name: stream.figures() for name, stream in self._streams.items()}
        return {"reference": {"part": self.reference.part, "rows": self.reference.rows}, "quantities": quantities}


def _shares(counts: npt.NDArray[np.int64]) -> list[float]:
    whole = max(1, int(counts.sum()))
    return [round(float(count) / whole, 4) for count in counts.tolist()]
