"""The proof: does what will be served give the answers of the model that was fitted?

It asks the exported graph, behind the bundle's own encoder, and the fitted model the same questions, and trusts neither the
exporter nor the bundle: a wrong tokenizer shows here as well as a wrong weight.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autoft.asking import LARGE, LARGE_WRITTEN, questions
from autoft.causes import reasons_to_refuse
from autoft.claims import unfounded
from autoft.comparisons import Combination, Findings
from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays, Encoding, joined
from autoft.interfaces.exporter import Session
from autoft.interfaces.model import Fitted
from autoft.interfaces.problem import Frozen, Problem
from autoft.interfaces.task import Decoder, Task
from autoft.ties import writes

TOLERANCE = 1e-4
MOST_ROWS = 2_000
MOST_WORST = 5
_CHUNK, _BATCH = 64, 32


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
    then: int = 0,
    rounding: str | None = None,
) -> Proof:
    """Compare `session` behind `encoding` with `fitted.outputs` on `rows` (inputs named by role, at least one row).

    First over a dozen or more combinations of batch, length and padding, then over all rows (at most 2,000). Refused when an
    output differs by more than `tolerance` (times the scale of the outputs where they are in the user's units), one label changes,
    or the graph does not run. `seconds` bounds the second part softly, and its first 64 rows not at all; None leaves it unbounded,
    so that nothing depends on the clock. `then` rows more have to be answered by the graph within these seconds: the second part ends
    where the pace of the graph so far leaves just that. `decoder` is the one that will be served; None stands for one that was not fitted.

    With `rounding`, what the format rounds, neither tolerance nor labels are held to: it is refused where outputs are swapped, scaled or
    shifted, where padding changes them more than rounding does, or where too many decisions are others (`autoft.nearness`).
    """
    if not len(rows):
        raise ExportError("an export cannot be proved without rows to ask about")
    started = time.monotonic()
    findings = Findings(tolerance, near=rounding is not None)
    decoder = decoder or Decoder(arrays=fitted.extra())
    large = LARGE_WRITTEN if writes(fitted.outputs(rows.take([0]))) else LARGE
    for asked, paddings in questions(encoding, rows, large):
        expected = fitted.outputs(asked)
        for pad_to in paddings:
            _try(session, encoding, asked, pad_to, expected, findings)
    if not findings.errors and not findings.broken:
        deadline = None if seconds is None else started + seconds
        _predict(fitted, session, encoding, task, problem, decoder, rows, findings, deadline, then)
    if problem.head.kind == "regression":
        findings.tolerance *= _scale([expected for expected, _ in findings.pairs])
    reasons = tuple(reasons_to_refuse(findings, problem))
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


def _try(session: Session, encoding: Encoding, asked: Table, pad_to: int | None, expected: Arrays, findings: Findings) -> None:
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
    findings: Findings,
    deadline: float | None,
    then: int,
) -> None:
    """Compare all rows, in batches by length as a server would see them."""
    if findings.near:
        findings.pairs.clear()  # rounding does more to rows that are nothing like the data: these tell of shapes and padding alone
    order = np.random.default_rng(problem.seed).permutation(len(rows))[:MOST_ROWS]
    graph = 0.0
    for begin in range(0, len(order), _CHUNK):
        if begin and deadline is not None and time.monotonic() + then * graph / begin >= deadline:
            return
        chunk = rows.take(order[begin : begin + _CHUNK])
        expected = fitted.outputs(chunk)
        started = time.monotonic()
        try:
            given = answered(session, encoding, chunk)
        except Exception as error:  # as above
            findings.broken.setdefault(f"the graph failed on rows of the data: {error}")
            return
        graph += time.monotonic() - started
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
