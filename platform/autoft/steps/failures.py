"""Candidates of which every trial failed: a run that ends well must not pass over them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoft.interfaces.events import TrialFinished
from autoft.trial import TRACEBACK

TOLD = 3
"""As many candidates at most are told of by their reasons."""
_LONGEST = 200


def failures(rows: Iterable[TrialFinished], trials: Path) -> str:
    """A sentence a candidate with the reason of its last failure, and where its traceback is; empty where each gave a model. `trials` is
    the folder of the trials in that of the run."""
    by_candidate: dict[str, list[TrialFinished]] = {}
    for row in rows:
        by_candidate.setdefault(row.candidate, []).append(row)
    dead = {name: found for name, found in by_candidate.items() if all(row.status == "failed" for row in found)}
    said = [_sentence(name, found, trials) for name, found in list(dead.items())[:TOLD]]
    if len(dead) > TOLD:
        said.append(f"Nor did {', '.join(list(dead)[TOLD:])}.")
    return " ".join(said)


def _sentence(name: str, rows: list[TrialFinished], trials: Path) -> str:
    last = max(rows, key=lambda row: row.trial)
    reason = " ".join(last.reason.split())[:_LONGEST].rstrip(".") or "without a reason"
    count = "its only trial" if len(rows) == 1 else f"all {len(rows)} of its trials"
    return f"{name} gave no model: {count} failed ({reason}){_traceback(rows, trials)}."


def _traceback(rows: list[TrialFinished], trials: Path) -> str:
    """Of the last trial that left one, told from the run's folder on: the verdict goes into the bundle, too."""
    there = [row.trial for row in rows if (trials / str(row.trial) / TRACEBACK).exists()]
    return f"; the traceback is in {trials.name}/{max(there)}/{TRACEBACK} of the run's folder" if there else ""
