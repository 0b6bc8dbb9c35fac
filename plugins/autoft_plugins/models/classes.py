"""How many rows each class has to learn from, and what follows for the search."""

from __future__ import annotations

from collections.abc import Sequence

from autoft.interfaces.problem import Problem

UNEVEN = 1.5
"""The largest class over the smallest, from which ways to balance them are searched."""


def class_counts(problem: Problem) -> tuple[int, ...]:
    """Rows a class, where the task left them in `problem.extra["class_counts"]`: in the order of the labels, or by label."""
    counts = problem.extra.get("class_counts")
    if isinstance(counts, dict):
        return tuple(int(counts.get(label, 0)) for label in problem.labels)
    return tuple(int(count) for count in counts) if isinstance(counts, Sequence) and not isinstance(counts, str) else ()


def is_uneven(problem: Problem) -> bool:
    """Whether the classes differ enough in size for weights to be worth a search."""
    counts = [count for count in class_counts(problem) if count]
    return len(counts) > 1 and max(counts) / min(counts) > UNEVEN
