"""What a finished trial answered for the validation rows, as its folder tells it, and what that says of two of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows
from autoft.interfaces.events import TrialFinished
from autoft.steps.confirm import Bench
from autoft.steps.judge import Interval, judge
from autoft.trial import decisions

_SAME = 1e-6
"""Relative: figures of the same decisions, through JSON."""


def stored_decisions(bench: Bench, row: TrialFinished) -> npt.NDArray[Any] | None:
    """The trial's decisions on the rows `bench.data.validation`, in their order, each by a decoder that was fitted on others.

    None where the folder does not tell them: the file is gone, the trial answered for some of the rows only, or a decision needs what the
    weights alone hold (the transitions of a CRF). The figure of the decisions would not be the trial's own then.
    """
    found = _answers(bench, row)
    return found[1] if found is not None and np.array_equal(found[0], bench.data.validation) else None


def stored_lead(bench: Bench, row: TrialFinished, other: TrialFinished) -> Interval | None:
    """By how much a trial leads another one on the validation rows that both answered; None where their folders do not tell."""
    ours, theirs = _answers(bench, row), _answers(bench, other)
    if ours is None or theirs is None:
        return None
    common, mine, their = np.intersect1d(ours[0], theirs[0], return_indices=True)
    if not len(common):
        return None
    understood = bench.understood
    problem, targets = understood.problem, understood.targets[common]
    return judge(understood.task, problem, targets, ours[1][mine], theirs[1][their], problem.seed).lead


def _answers(bench: Bench, row: TrialFinished) -> tuple[Rows, npt.NDArray[Any]] | None:
    """Row numbers, and the decisions on them."""
    path = bench.journal.trial_folder(row.trial) / "validation.npz"
    if row.value is None or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        outputs = {name: file[name] for name in file.files}
    rows = outputs.pop("rows")
    task, problem, targets = bench.understood.task, bench.understood.problem, bench.understood.targets[rows]
    decided = decisions(task, problem, outputs, targets, [(len(rows), {})])
    value = task.score(problem, targets, decided)[problem.metric.name]
    return (rows, decided) if np.isclose(value, row.value, rtol=_SAME, equal_nan=True) else None
