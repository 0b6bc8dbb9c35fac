"""First points from an earlier run: `--like RUN`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from autoft.errors import InputError, SettingsError
from autoft.history import History
from autoft.interfaces.problem import Metric
from autoft.interfaces.space import Hyperparameters, Space

Points: TypeAlias = Mapping[str, Sequence[Hyperparameters]]
"""By the name of the candidate, best first."""

MOST = 2
"""Points of a candidate. What was best there by no more than noise is no better here than the space's own default."""


def earlier_points(past: History | None, like: History | None, task: str) -> Points:
    """The best of the run `like`; a run that goes on keeps those that it began with, whatever has become of the run that they are from.

    Raises InputError where no trial of `like` reached the end of its schedule, SettingsError where it learned another task.
    """
    if past is not None:
        kept: Points = past.facts.get("earlier", {})
        return kept
    return {} if like is None else _best_points(like, task)


def _best_points(like: History, task: str) -> Points:
    problem: Mapping[str, Any] = like.facts["problem"]
    if problem["task"] != task:
        raise SettingsError(f"--like {like.run_id}: that run learned {problem['task']}, this one {task}", hint="autoft runs")
    metric = Metric.model_validate(problem["metric"])
    rows = [row for row in like.rows if row.status == "done" and row.value is not None]
    rows.sort(key=lambda row: -metric.key(row.value or 0.0))
    found: dict[str, list[Hyperparameters]] = {}
    for row in rows:
        points = found.setdefault(row.candidate, [])
        if row.hyperparameters not in points and len(points) < MOST:
            points.append(row.hyperparameters)
    if not found:
        raise InputError(f"--like {like.run_id}: no trial of that run ended", hint="autoft runs")
    return found


def begun_with(spaces: Mapping[str, Space], points: Points, say: Callable[[str], None]) -> dict[str, Space]:
    """The spaces with these points in front of their own. What a space has no place for, of another version or rows of another kind,
    is left out."""
    found = dict(spaces)
    for name in spaces.keys() & points.keys():
        space = spaces[name]
        fitting = [point for point in points[name] if set(point) == set(space.parameters)]
        if len(fitting) < len(points[name]):
            say(f"{name} has other hyperparameters than in the earlier run: {len(points[name]) - len(fitting)} of its points are left out")
        if fitting:
            own = [point for point in (space.default, *space.first) if point not in fitting]
            found[name] = replace(space, default=fitting[0], first=(*fitting[1:], *own))
    return found
