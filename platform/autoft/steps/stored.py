"""What a finished trial answered for the validation rows, as its folder tells it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.interfaces.events import TrialFinished
from autoft.steps.confirm import Bench
from autoft.trial import decisions

_SAME = 1e-6
"""Relative: figures of the same decisions, through JSON."""


def stored_decisions(bench: Bench, row: TrialFinished) -> npt.NDArray[Any] | None:
    """The trial's decisions on the rows `bench.data.validation`, in their order, each by a decoder that was fitted on others.

    None where the folder does not tell them: the file is gone, a trial that was stopped answered for some of the rows only, or a decision
    needs what the weights alone hold (the transitions of a CRF). The figure of the decisions would not be the trial's own then.
    """
    path = bench.journal.trial_folder(row.trial) / "validation.npz"
    if row.value is None or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        outputs = {name: file[name] for name in file.files}
    rows = outputs.pop("rows")
    if not np.array_equal(rows, bench.data.validation):
        return None
    task, problem, targets = bench.understood.task, bench.understood.problem, bench.understood.targets[rows]
    decided = decisions(task, problem, outputs, targets, [(len(rows), {})])
    value = task.score(problem, targets, decided)[problem.metric.name]
    return decided if np.isclose(value, row.value, rtol=_SAME, equal_nan=True) else None
