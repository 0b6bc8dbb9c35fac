"""Graphs that answer for themselves: what they say beside their logits, held against the task's own answers from these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem

LABEL, SCORES = "label", "scores"
"""Outputs of a graph that answers by itself: the class of each row, a text, (n,), and beside it the probabilities of all classes
(n, classes). The scores of a graph without labels are something else."""
TOLERANCE = 1e-5
"""Of a probability, whose logits are the graph's own."""


def unfounded(given: Arrays, problem: Problem, decoded: Callable[[], Sequence[Mapping[str, Any]]]) -> str | None:
    """What a graph says that does not follow from its own logits; None where all does, or it says nothing. `decoded` gives the task's
    answers to them, one a row."""
    if LABEL not in given:
        return None
    answers = decoded()
    said, meant = list(map(str, given[LABEL])), [str(answer["label"]) for answer in answers]
    if len(said) != len(meant):
        return f"the graph says {len(said)} labels of {len(meant)} rows"
    for one, other in zip(said, meant, strict=True):
        if one != other:
            return f"the graph says {one!r} where its logits mean {other!r}: the labels are swapped"
    if SCORES in given:
        expected = np.array([[answer["scores"][name] for name in problem.labels] for answer in answers], np.float64)
        if given[SCORES].shape != expected.shape:
            return f"the graph's scores have the shape {given[SCORES].shape} where its logits mean {expected.shape}"
        off = float(np.abs(given[SCORES] - expected).max(initial=0.0))
        if not off <= TOLERANCE:
            return f"the graph's scores are off by {off:.2g} from what its logits mean: scaled, by a temperature, or in another order?"
    return None
