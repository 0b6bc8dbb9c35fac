"""A rule that is broken, in a sentence, with the place that tells the rule."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
        """Raises ContractBroken. `member` is one of the interface, or of another in its module: `Encoding.encode`."""
        raise ContractBroken(f"{self.kind} {self.name}: {rule}", self._home(member), f"{PAGE}#{self.kind}s")

    def _home(self, member: str) -> str:
        module, _, interface = HOMES[self.kind].partition(".")
        told = member if "." in member else f"{interface}.{member}" if member else interface
        return f"autoft.interfaces.{module}.{told}"

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
            told = f"{self.kind} {self.name}: {member} raised {type(error).__name__}: {error}, asked {of}{_place(error)}"
            raise ContractBroken(told, self._home(member), f"{PAGE}#{self.kind}s") from error

    @contextmanager
    def refusing(self, member: str, of: str, kind: type[AutoftError], row: int | None = None) -> Iterator[None]:
        """What cannot be used has to be refused with an error of this kind, which the user sees as a sentence; it names `row`, counted from
        1, where one is to blame."""
        try:
            yield
        except kind as error:
            named = row is None or re.search(rf"\b{row}\b", str(error)) is not None
            told = f"{member} refuses {of} with {str(error)!r}, which does not name the row: 'row {row}: ...'"
            self.holds(named, told, member)
            return
        except (Exception, SystemExit) as error:
            raised = f"{member} raised {type(error).__name__}: {error}"
            self.broken(f"{raised}, where {kind.__name__} is the answer to {of}{_place(error)}", member)
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


def _place(error: BaseException) -> str:
    """Where the plugin's own code raised it: the innermost frame of the package that the check called."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    names = [str(frame.f_globals.get("__name__", "")) for frame, _ in frames]
    called = next((name.partition(".")[0] for name in names if not name.startswith("autoft.testing")), None)
    own = [pair for pair, name in zip(frames, names, strict=True) if called is not None and name.partition(".")[0] == called]
    return f" (line {own[-1][1]} of {Path(own[-1][0].f_code.co_filename).name})" if own else ""


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
