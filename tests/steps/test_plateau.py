from __future__ import annotations

from types import SimpleNamespace

import pytest

from autoft.interfaces.events import TrialFinished
from autoft.interfaces.problem import Metric
from autoft.steps.search import _Plateau


def finished(value: float) -> TrialFinished:
    return TrialFinished(
        trial=1, candidate="c", status="done", progress=100, metrics={}, value=value, seconds=1.0, hyperparameters={}, stage="search"
    )


def trials_until_the_end(metric: Metric, values: list[float]) -> int | None:
    said: list[str] = []
    journal = SimpleNamespace(leaderboard=SimpleNamespace(metric=metric), stop_search=said.append)
    plateau = _Plateau(journal, candidates=1, rows=400)  # type: ignore[arg-type]
    for number, value in enumerate(values, 1):
        plateau.see(finished(value))
        if said:
            return number
    return None


@pytest.mark.parametrize("scale", [0.01, 1.0, 5000.0])
def test_errors_in_any_unit_end_where_they_no_longer_fall(scale):
    metric = Metric(name="mae", greater_is_better=False)
    assert trials_until_the_end(metric, [scale * 0.9**number for number in range(30)]) is None
    assert trials_until_the_end(metric, [scale * (1 - 0.001 * number) for number in range(30)]) == 9


def test_shares_end_within_their_noise():
    metric = Metric(name="f1_macro")
    assert trials_until_the_end(metric, [0.3 + 0.02 * number for number in range(30)]) is None
    assert trials_until_the_end(metric, [0.8 + 0.001 * number for number in range(30)]) == 9
