"""Outputs of the fitted model and of a graph, side by side: what differs, by how much, and in which rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Frozen
from autoft.ties import settled, writes


class Combination(Frozen):
    """One shape that was tried. `difference` is None where the outputs could not be compared."""

    batch: int
    length: int | None = Field(description="units a row, padding included; None where rows have no length")
    padding: int = Field(description="padded units of the shortest row")
    difference: float | None


@dataclass
class Findings:
    """What the comparisons found so far."""

    tolerance: float
    near: bool = False
    combinations: list[Combination] = field(default_factory=list)
    errors: dict[Combination, str] = field(default_factory=dict)
    broken: dict[str, None] = field(default_factory=dict)
    pairs: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = field(default_factory=list)
    """`logits` of the fitted model and of the graph where they are (n, outputs): what tells the scale of numbers, and swapped labels."""
    largest: float | None = None
    rows: int = 0
    changed: int = 0
    same: int = 0
    decided: int = 0
    by_row: dict[int, float] = field(default_factory=dict)
    ties: int = 0

    def settled(self, expected: Arrays, given: Arrays) -> Arrays:
        """`given`, its choices between equally likely tokens made as expected and counted."""
        made, count = settled(expected, given, self.tolerance)
        self.ties += count
        return made

    def difference(self, expected: Arrays, given: Arrays) -> float | None:
        """The largest of all outputs, or None with a note of what is wrong with their names, shapes or values."""
        largest = 0.0
        if not expected:
            self.broken.setdefault("the fitted model gives no outputs to compare with")
            return None
        for name, values in expected.items():
            if self.near and writes(expected) and name in given:
                continue  # another text has another length: what is written is judged as a whole
            problem = _fault(name, values, given.get(name), given)
            if problem is not None:
                self.broken.setdefault(problem)
                return None
            if values.size and values.dtype.kind == "f":
                largest = max(largest, float(np.max(np.abs(values.astype(np.float64) - given[name]))))
        self.largest = max(self.largest or 0.0, largest)
        if "logits" in expected and (self.near or expected["logits"].ndim == 2):
            outputs = expected["logits"].shape[-1]
            self.pairs.append((expected["logits"].reshape(-1, outputs), given["logits"].reshape(-1, outputs)))
        return largest

    def compared(self, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> None:
        """The decisions for some rows, first axis = rows, where they are no floating-point numbers."""
        if before.shape != after.shape:
            self.broken.setdefault(f"the decisions have the shape {_shape(after)} where the fitted model's have {_shape(before)}")
            return
        differs = (before != after).reshape(len(before), -1)
        self.changed += int(differs.any(axis=1).sum())
        self.same += int(differs.size - differs.sum())
        self.decided += differs.size

    @property
    def agreement(self) -> float | None:
        return self.same / self.decided if self.decided else None


def _fault(name: str, expected: npt.NDArray[Any], given: npt.NDArray[Any] | None, outputs: Arrays) -> str | None:
    if given is None:
        return f"the graph has no output {name!r}, only {', '.join(sorted(outputs)) or 'none'}"
    if given.shape != expected.shape:
        return f"{name} has the shape {_shape(given)} where the fitted model gives {_shape(expected)}"
    if given.dtype.kind != expected.dtype.kind:
        return f"{name} are {given.dtype} where the fitted model gives {expected.dtype}"
    if expected.dtype.kind != "f":
        return _unequal(name, expected, given)
    if not np.isfinite(expected).all():
        return f"the fitted model itself gives {name} that are not finite"
    if not np.isfinite(given).all():
        return f"the graph gives {name} that are not finite"
    return None


def _unequal(name: str, expected: npt.NDArray[Any], given: npt.NDArray[Any]) -> str | None:
    """Of numbers, tokens for instance, and texts: these have no tolerance."""
    places = np.argwhere(given != expected)
    if not len(places):
        return None
    rows = len(np.unique(places[:, 0]))
    first = tuple(places[0])
    where = f"row {first[0] + 1}" + "".join(f", place {place + 1}" for place in first[1:])
    what = f"{given.item(first)!r} where the fitted model gives {expected.item(first)!r}"
    return f"{name} differ in {rows} of {len(expected)} rows, first in {where}: {what}"


def _shape(array: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape))
