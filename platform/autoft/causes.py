"""Why a proof refuses an export, in words: what the pattern of the differences tells about the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoft.comparisons import Findings
from autoft.interfaces.problem import Problem
from autoft.nearness import far_off

_GROSS = 1e-2
_UNCHANGED = 1e-3
"""How far from 1 a scale may be and be called none."""


def reasons_to_refuse(findings: Findings, problem: Problem) -> Iterator[str]:
    """Nothing where the export holds."""
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


def _about_errors(findings: Findings) -> str:
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


def _about_difference(findings: Findings, problem: Problem) -> str:
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


def _permutation(findings: Findings) -> Sequence[int] | None:
    """Column k of the graph's `logits` in the place of each column of the fitted model's, when that explains every difference."""
    if not findings.pairs:
        return None
    expected, given = (np.concatenate(side) for side in zip(*findings.pairs, strict=True))
    places = [int(np.argmin(np.max(np.abs(given - expected[:, [j]]), axis=0))) for j in range(expected.shape[1])]
    if len(set(places)) < len(places) or places == list(range(len(places))):
        return None
    return places if float(np.max(np.abs(given[:, places] - expected))) <= findings.tolerance else None


def _rescaling(findings: Findings, problem: Problem) -> str | None:
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
