"""What is wrong with an export whose answers need not be the very same: more than rounding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.problem import Problem

LEAST_AGREEMENT = 0.95
"""The share of the decisions that have to be the same."""
SCALE, SHIFT = 0.1, 0.1
"""How far the outputs' slope may be from 1, and their means from the fitted model's, in standard deviations."""
SCATTER = 0.1
"""The most that numbers may differ by (root mean square), in standard deviations of the fitted model's."""
PADDED = 4.0
"""How much more padded rows may differ than others; batches share a scale in some formats."""
SWAPPED = 0.25
"""The share of the difference that is left where outputs are put in another order, if this is what is wrong."""
_LEAST = 1e-3

Pairs = Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]]


def far_off(problem: Problem, pairs: Pairs, plain: Sequence[float], padded: Sequence[float], agreement: float | None) -> Iterator[str]:
    """Reasons to refuse, in words. `pairs` are `logits` of the fitted model and of the graph, (n, outputs) each; `plain` and `padded`
    their differences by combination of shapes; `agreement` is the share of equal decisions."""
    if pairs:
        expected, given = (np.concatenate(side).astype(np.float64) for side in zip(*pairs, strict=True))
        order = _order(expected, given)
        if order is not None:
            yield f"the labels are swapped: {_moved(order, problem)}"
            return
    if padded and max(padded) > PADDED * max([_LEAST, *plain]):
        by = f"up to {max(padded):.2g}, rounding by {max(plain, default=0.0):.2g}"
        yield f"padding changes answers by {by}: the graph ignores the attention mask"
    if pairs:  # behind the padding, which may look like a scale
        yield from _linear(expected, given, numbers=problem.head.kind == "regression")
    if agreement is not None and agreement < LEAST_AGREEMENT:
        yield f"{agreement:.1%} of the decisions are those of the fitted model; at least {LEAST_AGREEMENT:.0%} have to be"


def _linear(expected: npt.NDArray[Any], given: npt.NDArray[Any], *, numbers: bool) -> Iterator[str]:
    """What a straight line through the outputs tells."""
    spread = float(expected.std())
    centred = expected - expected.mean(axis=0)
    power = float((centred**2).sum())
    if not power:
        return
    slope = float((centred * (given - given.mean(axis=0))).sum() / power)
    if abs(slope - 1) > SCALE:
        yield f"the outputs are {slope:.2f} times the fitted model's: a temperature or scale that is not its own"
    shift = float(np.abs((given - expected).mean(axis=0)).max()) / spread
    if shift > SHIFT:
        yield f"the outputs are shifted by {shift:.2f} standard deviations"
    scatter = float(np.sqrt(((given - expected) ** 2).mean())) / spread
    if numbers and scatter > SCATTER:
        yield f"the numbers differ by {scatter:.2f} standard deviations (root mean square); at most {SCATTER} is rounding"


def _order(expected: npt.NDArray[Any], given: npt.NDArray[Any]) -> list[int] | None:
    """The place of each output among the graph's, where another order explains most of the difference."""
    apart = np.stack([np.abs(given - expected[:, [k]]).mean(axis=0) for k in range(expected.shape[1])], axis=1)
    places = apart.argmin(axis=0).tolist()
    straight, moved = float(np.trace(apart)), float(sum(apart[place, k] for k, place in enumerate(places)))
    known = len(set(places)) == len(places) and places != list(range(len(places)))
    return places if known and moved < SWAPPED * straight else None


def _moved(places: Sequence[int], problem: Problem) -> str:
    names = problem.labels if len(problem.labels) == len(places) else tuple(map(str, range(len(places))))
    return ", ".join(f"{names[k]!r} stands where {names[place]!r} belongs" for place, k in enumerate(places) if k != place)
