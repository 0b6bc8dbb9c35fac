"""What a run would make of the data, without running: `autoft check`."""

from __future__ import annotations

from collections import Counter
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.catalog import Catalog
from autoft.data.names import counted
from autoft.data.splits import duplicate_groups
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import CountsTargets
from autoft.report import class_counts
from autoft.settings import Settings
from autoft.steps.tasks import flags
from autoft.steps.understand import Understood, understand

UNEVEN = 10.0
"""A class with so many times more rows than another is worth a warning."""
CLOSE = 0.2
"""Readings below this are not worth a word."""
FEW = 10
"""Fewer rows than this in a class are worth a warning."""


def check(settings: Settings, catalog: Catalog) -> dict[str, Any]:
    """What was understood, as JSON values. Raises InputError where a run would."""
    understood = understand(settings, catalog)
    found, problem = understood.found, understood.problem
    used = len(understood.rows)
    words, counts = _counted(understood)
    return {
        "data": str(settings.data),
        "task": problem.task,
        "reason": understood.reason,
        "score": found.match.score,
        "columns": {role: list(names) for role, names in found.match.columns.items()},
        "not_used": list(found.unused),
        "metric": problem.metric.name,
        "metric_meaning": problem.metric.meaning,
        "rows": {"read": understood.read, "used": used, "left_out": understood.read - used},
        "splits": {part: len(getattr(understood.splits, part)) for part in ("train", "validation", "test")},
        "folds": len(understood.splits.rounds()),
        "classes": counts,
        "classes_in_words": words,
        "numbers": _numbers(problem, understood.targets),
        "lengths": {role: _lengths(understood.rows[role]) for role in problem.inputs if _is_text(understood.rows[role])},
        "max_length": problem.max_length,
        "language": problem.language,
        "warnings": _warnings(understood),
        "notes": list(understood.remarks),
        "others": [
            {"task": task.name, "score": match.score, "reason": match.reason, "flags": flags(match, task, found.match)}
            for task, match in found.others
            if match.score >= CLOSE
        ],
        "command": _command(settings),
    }


def _counted(understood: Understood) -> tuple[str, dict[str, int]]:
    """How many rows each class has, or what the task counts in its stead."""
    task, problem, targets = understood.task, understood.problem, understood.targets
    if isinstance(task, CountsTargets):
        return task.counted(problem, targets)
    counts = class_counts(problem, targets)
    return (f"{len(counts)} classes" if counts else ""), counts


def _numbers(problem: Problem, targets: npt.NDArray[Any]) -> dict[str, float]:
    """Where a number is learned: its quartiles and mean."""
    if problem.labels or not np.issubdtype(targets.dtype, np.floating):
        return {}
    names = ("lowest", "lower_quarter", "median", "upper_quarter", "highest")
    quarters = np.quantile(targets.astype(np.float64), (0.0, 0.25, 0.5, 0.75, 1.0)).tolist()
    return {**dict(zip(names, quarters, strict=True)), "mean": float(np.mean(targets, dtype=np.float64))}


def _is_text(values: Any) -> bool:
    return len(values) > 0 and isinstance(values[0], str)


def _lengths(values: Any) -> dict[str, float]:
    """In characters."""
    lengths = np.asarray([len(value) for value in values])
    return {"mean": float(lengths.mean()), "median": float(np.median(lengths)), "longest": int(lengths.max())}


def _warnings(understood: Understood) -> list[str]:
    found = []
    groups = duplicate_groups(understood.rows)
    again = len(groups) - len(np.unique(groups))
    if again:
        repeat = "repeats the input of another; both stay" if again == 1 else "repeat the input of another; they stay"
        found.append(f"{again:,} of {counted(len(groups), 'row')} {repeat} in one part of the split")
    answers: dict[int, set[bytes]] = {}
    for group, target in zip(groups.tolist(), understood.targets, strict=True):
        answers.setdefault(group, set()).add(np.asarray(target).tobytes())
    torn = [group for group, different in answers.items() if len(different) > 1]
    if torn:
        row = next(record for group, record in zip(groups.tolist(), understood.rows.records(), strict=True) if group == torn[0])
        shown = ", ".join(repr(value[:60]) if isinstance(value, str) else repr(value)[:60] for value in row.values())
        many = "1 input has" if len(torn) == 1 else f"{len(torn)} inputs have"
        found.append(f"{many} different answers in different rows, for instance {shown}")
    return found + _class_warnings(understood.problem, class_counts(understood.problem, understood.targets))


def _class_warnings(problem: Problem, counts: dict[str, int]) -> list[str]:
    if not counts or problem.head.kind not in ("single_label_classification", "multi_label_classification"):
        return []
    found = []
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    if counts[most] >= UNEVEN * max(1, counts[least]):
        found.append(f"the classes are very uneven: {most!r} has {counted(counts[most], 'row')}, {least!r} has {counts[least]:,}")
    few = [name for name, count in counts.items() if count < FEW]
    if few:
        have = "has" if len(few) == 1 else "have"
        found.append(f"{len(few)} of {counted(len(counts), 'class')} {have} fewer than {FEW} rows, {few[0]!r} has {counts[few[0]]}")
    alike = Counter(" ".join(name.casefold().split()) for name in counts)
    for plain, many in alike.items():
        if many > 1:
            names = [name for name in counts if " ".join(name.casefold().split()) == plain]
            found.append(f"{' and '.join(map(repr, names))} differ in case or blanks alone: write them alike if they mean the same")
    return found


def _command(settings: Settings) -> str:
    parts = ["autoft run", quote(str(settings.data))]
    single = ("text", "label", "task", "metric", "validation", "test", "group", "time")
    parts += [f"--{name} {quote(str(value))}" for name in single if (value := getattr(settings, name)) is not None]
    parts += [f"--column {quote(f'{role}={name}')}" for role, name in settings.columns.items()]
    parts += [f"--plugin {quote(str(path))}" for path in settings.plugins]
    parts += [f"--add {quote(str(path))}" for path in settings.add]
    parts += [f"--seed {settings.seed}"] if settings.seed else []
    return " ".join(parts)
