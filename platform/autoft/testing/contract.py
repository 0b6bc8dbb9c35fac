"""A rule that is broken, in a sentence, with the place that tells the rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoft.catalog import fault_of
from autoft.errors import AutoftError
from autoft.interfaces.encoder import Arrays
from autoft.testing.limits import Late, within

PAGE = "docs/plugins/checks.md"
HOMES = {"task": "task.Task", "model": "model.Model", "exporter": "exporter.Exporter", "tuner": "tuner.Tuner"}
HOMES |= {"encoder": "encoder.Encoder", "reader": "reader.Reader", "tracker": "tracker.Tracker"}
"""The interface of a kind, below `autoft.interfaces`."""


class ContractBroken(AssertionError):  # noqa: N818
    """`rule` says what is wrong, `home` which member tells the rule, `page` the page of the checks."""

    def __init__(self, rule: str, home: str, page: str) -> None:
        super().__init__(f"{rule}. The rule: {home}; {page}")
        self.rule, self.home, self.page = rule, home, page

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.rule, self.home, self.page))


@dataclass(frozen=True)
class Contract:
    """One plugin that is held to the interface of its `kind`, in the singular."""

    kind: str
    name: str

    @classmethod
    def of(cls, kind: str, one: object) -> Contract:
        """After what is asked of every kind: a name, a summary of a line, and all members. Raises ContractBroken."""
        contract = cls(kind, str(getattr(one, "name", type(one).__name__)))
        fault = fault_of(f"{kind}s", one)
        contract.holds(fault is None, fault or "")
        summary: Any = getattr(one, "summary", None)
        told = isinstance(summary, str) and bool(summary.strip()) and "\n" not in summary
        contract.holds(told, f"its summary is {summary!r}: one line is shown beside its name")
        return contract

    def holds(self, kept: bool, rule: str, member: str = "") -> None:
        """Raises ContractBroken with the rule, a clause that goes on from the plugin's name, unless it is kept."""
        if not kept:
            self.broken(rule, member)

    def broken(self, rule: str, member: str = "") -> None:
        """Raises ContractBroken."""
        home = f"autoft.interfaces.{HOMES[self.kind]}" + (f".{member}" if member else "")
        raise ContractBroken(f"{self.kind} {self.name}: {rule}", home, f"{PAGE}#{self.kind}s")

    @contextmanager
    def asking(self, member: str, of: str, seconds: float | None = None) -> Iterator[Callable[[], None]]:
        """What a member raises when it is asked for what it has to give is a broken rule; `of` says what it was asked. So is that it has
        not returned after `seconds`, counted anew whenever what this yields is called; see `autoft.testing.limits.within`."""
        try:
            with within(seconds) as anew:
                yield anew
        except ContractBroken:
            raise
        except Late:
            self.broken(f"{member} gave no sign for {seconds:g} s, asked {of}", member)
        except (Exception, SystemExit) as error:
            home = f"autoft.interfaces.{HOMES[self.kind]}.{member}"
            told = f"{self.kind} {self.name}: {member} raised {type(error).__name__}: {error}, asked {of}"
            raise ContractBroken(told, home, f"{PAGE}#{self.kind}s") from error

    @contextmanager
    def refusing(self, member: str, of: str, kind: type[AutoftError]) -> Iterator[None]:
        """What cannot be used has to be refused with an error of this kind, which the user sees as a sentence."""
        try:
            yield
        except kind:
            return
        except (Exception, SystemExit) as error:
            self.broken(f"{member} raised {type(error).__name__}: {error}, where {kind.__name__} is the answer to {of}", member)
        self.broken(f"{member} took {of}; {kind.__name__} with what to do about it is the answer", member)

    def is_json(self, value: object, what: str, member: str) -> None:
        """Raises ContractBroken where JSON cannot hold the value, NaN included."""
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            self.broken(f"{what} cannot be written as JSON ({error})", member)

    def are_arrays(self, outputs: object, rows: int, what: str, member: str) -> None:
        """Arrays by name, first axis = rows, numbers that are numbers."""
        found: Any = outputs
        self.holds(isinstance(found, dict) and bool(found), f"{what} is {type(outputs).__name__}, not arrays by name", member)
        for name, array in found.items():
            self.holds(isinstance(array, np.ndarray), f"{what}[{name!r}] is {type(array).__name__}, not a numpy array", member)
            first = array.shape[0] if array.ndim else None
            self.holds(first == rows, f"{what}[{name!r}] has shape {array.shape}; its first axis is the rows, {rows} here", member)
            lost = np.issubdtype(array.dtype, np.floating) and bool(np.isnan(array).any())
            self.holds(not lost, f"{what}[{name!r}] holds what is no number", member)

    def are_equal(self, one: Arrays, other: Arrays, what: str, member: str, *, tolerance: float = 1e-5) -> None:
        """The same outputs by name, but for rounding; axes behind the first may be filled up with zeros."""
        self.holds(one.keys() == other.keys(), f"{what}: there are {', '.join(one)}, then {', '.join(other)}", member)
        for name, array in one.items():
            apart = difference(array, other[name])
            told = f"{what}: {name} differs by {apart:.2g}" if apart is not None else f"{what}: {name} has another shape or kind"
            self.holds(apart is not None and apart <= tolerance, told, member)


def difference(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float | None:
    """The largest between two arrays of the same rows, 0 for equal ones that are no numbers; None where they cannot be compared."""
    if one.ndim != other.ndim or len(one) != len(other):
        return None
    common = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    if any(bool(np.any(array[..., common[-1].stop :])) for array in (one, other) if array.ndim > 1 and array.dtype.kind in "fiub"):
        return None
    one, other = one[common], other[common]
    if one.dtype.kind not in "fiub" or other.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(one, other) else None
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0))
