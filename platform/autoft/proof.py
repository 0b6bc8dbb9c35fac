"""The proof: does what will be served give the answers of the model that was fitted?

It asks the exported graph, behind the bundle's own encoder, and the fitted model the same questions, and trusts neither the
exporter nor the bundle: a wrong tokenizer shows here as well as a wrong weight.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autoft.claims import unfounded
from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays, Encoding, joined
from autoft.interfaces.exporter import Session
from autoft.interfaces.model import Fitted
from autoft.interfaces.problem import Frozen, Problem
from autoft.interfaces.task import Decoder, Task
from autoft.nearness import far_off
from autoft.ties import settled, writes

TOLERANCE = 1e-4
MOST_ROWS = 2_000
MOST_WORST = 5
_CHUNK, _BATCH = 64, 32
_LARGE, _LARGE_WRITTEN = 33, 5
"""The second for models that write: each row takes as long as dozens of others."""
_ODD_LENGTH = 7
_SEVERAL_SAMPLES = ((1, 5), (2, 1), (3, 3), (7, 2), (_LARGE, 2))
"""(batch, samples) where rows have no length to vary: 13 combinations."""
_GROSS = 1e-2
_UNCHANGED = 1e-3
"""How far from 1 a scale may be and be called none."""


class Combination(Frozen):
    """One shape that was tried. `difference` is None where the outputs could not be compared."""

    batch: int
    length: int | None = Field(description="units a row, padding included; None where rows have no length")
    padding: int = Field(description="padded units of the shortest row")
    difference: float | None


class Worst(Frozen):
    """A row whose outputs differ most."""

    row: int = Field(description="its number in its file, counted from 1")
    difference: float


class Proof(Frozen):
    """What was compared and how it went."""

    passed: bool
    rounding: str | None = Field(default=None, description="what the format rounds; None where it has to give the very same answers")
    max_difference: float | None = Field(description="largest difference of any output; None where nothing could be compared")
    tolerance: float
    combinations: tuple[Combination, ...]
    rows: int = Field(description="rows whose predictions were compared")
    of_rows: int = Field(default=0, description="rows there were; more than `rows` where the time or 2,000 rows were up")
    changed_labels: int
    agreement: float | None = Field(default=None, description="share of the decisions that are the same; None where they are numbers")
    worst: tuple[Worst, ...] = Field(default=(), description="the rows whose outputs differ most, the worst first")
    ties: int = Field(default=0, description="times that two tokens were equally likely, and the text was compared up to there")
    reasons: tuple[str, ...] = Field(description="why it was refused, in words; empty when it passed")
    seconds: float


@dataclass
class _Findings:
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


def prove(
    fitted: Fitted,
    session: Session,
    encoding: Encoding,
    task: Task,
    problem: Problem,
    rows: Table,
    *,
    decoder: Decoder | None = None,
    tolerance: float = TOLERANCE,
    seconds: float | None = None,
    rounding: str | None = None,
) -> Proof:
    """Compare `session` behind `encoding` with `fitted.outputs` on `rows` (inputs named by role, at least one row).

    First over a dozen or more combinations of batch, length and padding, then over all rows (at most 2,000). Refused when an
    output differs by more than `tolerance` (times the scale of the outputs where they are in the user's units), one label changes,
    or the graph does not run. `seconds` bounds the second part softly, and its first 64 rows not at all; None leaves it unbounded,
    so that nothing depends on the clock. `decoder` is the one that will be served; None stands for one that was not fitted.

    With `rounding`, what the format rounds, neither tolerance nor labels are held to: it is refused where outputs are swapped, scaled or
    shifted, where padding changes them more than rounding does, or where too many decisions are others (`autoft.nearness`).
    """
    if not len(rows):
        raise ExportError("an export cannot be proved without rows to ask about")
    started = time.monotonic()
    findings = _Findings(tolerance, near=rounding is not None)
    decoder = decoder or Decoder(arrays=fitted.extra())
    large = _LARGE_WRITTEN if writes(fitted.outputs(rows.take([0]))) else _LARGE
    for asked, paddings in _questions(encoding, rows, large):
        expected = fitted.outputs(asked)
        for pad_to in paddings:
            _try(session, encoding, asked, pad_to, expected, findings)
    if not findings.errors and not findings.broken:
        deadline = None if seconds is None else started + seconds
        _predict(fitted, session, encoding, task, problem, decoder, rows, findings, deadline)
    if problem.head.kind == "regression":
        findings.tolerance *= _scale([expected for expected, _ in findings.pairs])
    reasons = tuple(_reasons(findings, problem))
    return Proof(
        passed=not reasons,
        rounding=rounding,
        max_difference=findings.largest,
        tolerance=findings.tolerance,
        combinations=tuple(findings.combinations),
        rows=findings.rows,
        of_rows=len(rows),
        changed_labels=findings.changed,
        agreement=findings.agreement,
        worst=tuple(Worst(row=row, difference=by) for row, by in sorted(findings.by_row.items(), key=lambda one: -one[1])[:MOST_WORST]),
        ties=findings.ties,
        reasons=reasons,
        seconds=round(time.monotonic() - started, 3),
    )


def _scale(outputs: Sequence[npt.NDArray[Any]]) -> float:
    """What a tolerance for numbers of size one is multiplied by for outputs in units of the user's own: their deviation, and a hundredth of
    the largest, below which single precision ends."""
    if not outputs:
        return 1.0
    whole = np.concatenate(outputs).astype(np.float64)
    return float(whole.std() + 0.01 * np.abs(whole).max()) or 1.0


def _questions(encoding: Encoding, rows: Table, large: int) -> Iterator[tuple[Table, tuple[int | None, ...]]]:
    """Rows to ask about, and the lengths to pad them to, one after the other."""
    if encoding.max_length is None:
        begin = 0
        for batch, samples in _SEVERAL_SAMPLES:
            for _ in range(samples):
                yield _sample(rows, begin, batch), (None,)
                begin += batch
        return
    longest = encoding.max_length
    for batch, length, paddings in _shapes(longest, large):
        asked = encoding.resized(_sample(rows, batch, batch), length)
        yield asked, tuple(min(longest, length + padding) if padding else None for padding in paddings)
    yield _sample(rows, 0, _ODD_LENGTH), (None,)


def _shapes(longest: int, large: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """(batch, length, paddings). Long rows come in small batches: they cost the most and prove as much."""
    odd = min(_ODD_LENGTH, longest)
    return [
        (1, 1, (0, 4)),
        (1, odd, (0, 5, longest)),
        (1, longest, (0,)),
        (2, odd, (0,)),
        (3, 1, (0,)),
        (3, odd, (0, longest)),
        (3, longest, (0,)),
        (large, 1, (0,)),
        (large, odd, (0, 2)),
    ]


def _sample(rows: Table, begin: int, count: int) -> Table:
    """`count` rows from `begin` on, starting over at the end of the table."""
    return rows.take((begin + np.arange(count)) % len(rows))


def _try(session: Session, encoding: Encoding, asked: Table, pad_to: int | None, expected: Arrays, findings: _Findings) -> None:
    encoded = encoding.encode(asked, pad_to=pad_to)
    has_length = encoding.max_length is not None
    width = max(int(encoded.lengths.max()), pad_to or 0)
    tried = Combination(
        batch=len(asked),
        length=width if has_length else None,
        padding=width - int(encoded.lengths.min()) if has_length else 0,
        difference=None,
    )
    try:
        given = encoded.answered(session.run)
    except Exception as error:  # a session is a plugin's: whatever it raises is a refusal
        findings.combinations.append(tried)
        findings.errors[tried] = str(error)
        return
    given = findings.settled(expected, given)
    findings.combinations.append(tried.model_copy(update={"difference": findings.difference(expected, given)}))


def _predict(
    fitted: Fitted,
    session: Session,
    encoding: Encoding,
    task: Task,
    problem: Problem,
    decoder: Decoder,
    rows: Table,
    findings: _Findings,
    deadline: float | None,
) -> None:
    """Compare all rows, in batches by length as a server would see them."""
    if findings.near:
        findings.pairs.clear()  # rounding does more to rows that are nothing like the data: these tell of shapes and padding alone
    order = np.random.default_rng(problem.seed).permutation(len(rows))[:MOST_ROWS]
    for begin in range(0, len(order), _CHUNK):
        if begin and deadline is not None and time.monotonic() >= deadline:
            return
        chunk = rows.take(order[begin : begin + _CHUNK])
        expected = fitted.outputs(chunk)
        try:
            given = answered(session, encoding, chunk)
        except Exception as error:  # as above
            findings.broken.setdefault(f"the graph failed on rows of the data: {error}")
            return
        given = findings.settled(expected, given)
        if findings.difference(expected, given) is None:
            return
        before, after = (np.asarray(task.decide(problem, decoder, outputs)) for outputs in (expected, given))
        if before.dtype.kind != "f":
            findings.compared(before, after)
        claim = unfounded(given, problem, partial(task.decode, problem, decoder, given, chunk))
        if claim is not None:
            findings.broken.setdefault(claim)
            return
        if "logits" in expected:
            apart = np.abs(expected["logits"].astype(np.float64) - given["logits"]).reshape(len(chunk), -1).max(axis=1, initial=0.0)
            findings.by_row.update({chunk.number(row): float(by) for row, by in enumerate(apart)})
        findings.rows += len(chunk)


def answered(session: Session, encoding: Encoding, rows: Table) -> Arrays:
    """Outputs of all rows, in batches by length as a server would ask."""
    order = np.argsort(rows.sizes(), kind="stable")
    pieces = []
    for begin in range(0, len(order), _BATCH):
        numbers = order[begin : begin + _BATCH]
        encoded = encoding.encode(rows.take(numbers))
        pieces.append((numbers, encoded.answered(session.run)))
    return joined(pieces, len(rows))


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


def _reasons(findings: _Findings, problem: Problem) -> Iterator[str]:
    if findings.errors:
        yield _about_errors(findings)
    yield from findings.broken
    if findings.near:
        by = {padded: [c.difference or 0.0 for c in findings.combinations if bool(c.padding) == padded] for padded in (False, True)}
        yield from far_off(problem, findings.pairs, by[False], by[True], findings.agreement)
        return
    if findings.changed:
        yield f"{findings.changed} of {findings.rows} rows get another label than from the fitted model"
    if findings.largest is not None and findings.largest > findings.tolerance:
        yield _about_difference(findings, problem)


def _about_errors(findings: _Findings) -> str:
    """Which shapes the graph refuses, and what that means."""
    failed = list(findings.errors)
    ran = [combination for combination in findings.combinations if combination not in findings.errors]
    first, message = next(iter(findings.errors.items()))
    count = f"{len(failed)} of {len(findings.combinations)} combinations failed"
    where = f"at batch {first.batch}" + (f", length {first.length}" if first.length is not None else "")
    batches = {combination.batch for combination in ran}
    if len(batches) == 1 and all(combination.batch not in batches for combination in failed):
        return f"the batch axis is fixed at {batches.pop()}: {count}, the first {where}: {message}"
    lengths = {combination.length for combination in ran}
    if len(lengths) == 1 and None not in lengths and all(combination.length not in lengths for combination in failed):
        return f"the length axis is fixed at {lengths.pop()}: {count}, the first {where}: {message}"
    return f"the graph does not run: {count}, the first {where}: {message}"


def _about_difference(findings: _Findings, problem: Problem) -> str:
    """What the pattern of the differences tells about the cause."""
    compared = [combination for combination in findings.combinations if combination.difference is not None]
    plain = [c.difference or 0.0 for c in compared if not c.padding]
    padded = [c.difference or 0.0 for c in compared if c.padding]
    by = f"answers differ by up to {findings.largest:.2g} (tolerance {findings.tolerance:g})"
    swapped = _permutation(findings)
    if swapped is not None:
        names = problem.labels if len(problem.labels) == len(swapped) else tuple(map(str, range(len(swapped))))
        moved = ", ".join(f"{names[k]!r} stands where {names[place]!r} belongs" for place, k in enumerate(swapped) if k != place)
        return f"{by}: the labels are swapped: {moved}"
    rescaled = _rescaling(findings, problem)
    if rescaled is not None:
        return f"{by}: {rescaled}: a stale temperature or scale?"
    if padded and max(padded) > findings.tolerance >= max(plain, default=0.0):
        worst = max((c for c in compared if c.padding), key=lambda c: c.difference or 0.0)
        return f"{by}, but only where rows are padded (most with {worst.padding} padded): the graph ignores the attention mask"
    least = min(c.length or 0 for c in compared)
    shortest = [c.difference or 0.0 for c in compared if c.length == least]
    if (findings.largest or 0.0) > _GROSS and shortest and max(shortest) <= findings.tolerance:
        return (
            f"{by}, but not on rows without content: the encoder gives other ids than in training (another tokenizer or vocabulary?), "
            "or an input weight was changed"
        )
    return f"{by} without padding, too: a weight of the graph, or the encoder before it, is not that of the fitted model"


def _permutation(findings: _Findings) -> Sequence[int] | None:
    """Column k of the graph's `logits` in the place of each column of the fitted model's, when that explains every difference."""
    if not findings.pairs:
        return None
    expected, given = (np.concatenate(side) for side in zip(*findings.pairs, strict=True))
    places = [int(np.argmin(np.max(np.abs(given - expected[:, [j]]), axis=0))) for j in range(expected.shape[1])]
    if len(set(places)) < len(places) or places == list(range(len(places))):
        return None
    return places if float(np.max(np.abs(given[:, places] - expected))) <= findings.tolerance else None


def _rescaling(findings: _Findings, problem: Problem) -> str | None:
    """What the graph's `logits` are of the fitted model's, in words, where a scale and a shift of each column explain every difference, and
    a scale is not 1: the graph was written before a scale was folded into the weights, or with another one."""
    if not findings.pairs:
        return None
    expected, given = (np.concatenate(side).astype(np.float64) for side in zip(*findings.pairs, strict=True))
    centred = expected - expected.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    varied = spread > len(expected) * findings.tolerance**2
    scale = np.where(varied, (centred * given).sum(axis=0) / np.where(varied, spread, 1.0), 1.0)
    shift = given.mean(axis=0) - scale * expected.mean(axis=0)
    left, off = float(np.abs(given - scale * expected - shift).max()), np.abs(scale - 1)
    # A scale that moves little is none: a weight that was changed moves all rows by about as much.
    told = off.max() > _UNCHANGED and float(np.abs((scale - 1) * centred).max()) > 10 * findings.tolerance
    if not told or left > findings.tolerance * max(1.0, float(np.abs(scale).max())):
        return None
    worst, near = int(off.argmax()), 100 * findings.tolerance
    alike = np.ptp(scale[varied]) <= _UNCHANGED * abs(scale[worst]) and np.ptp(shift[varied]) <= near
    name = "" if alike or len(problem.labels) != len(scale) else f" of {problem.labels[worst]!r}"
    more = "" if abs(shift[worst]) <= near else f" {'-' if shift[worst] < 0 else '+'} {abs(shift[worst]):.3g}"
    return f"the logits{name} are {scale[worst]:.3g} times those of the fitted model{more}"
