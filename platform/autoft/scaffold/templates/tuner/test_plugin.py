"""The tuner keeps its contract, and draws what the space holds."""

from __future__ import annotations

from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform
from autoft.scaffold.templates.tuner.plugin import RandomTuner, point
from autoft.testing import check_tuner


def test_it_keeps_the_contract_of_a_tuner() -> None:
    check_tuner(RandomTuner())


def test_points_are_drawn_by_the_seed_alone() -> None:
    parameters: dict[str, Parameter] = {
        "rate": LogUniform(1e-3, 1.0),
        "depth": Integer(1, 4),
        "kind": Choice(("a", "b")),
        "drop": Uniform(0.0, 0.5),
    }
    space = Space(parameters, {"rate": 0.1, "depth": 2, "kind": "a", "drop": 0.1})
    drawn = [point(space, seed, [space.default]) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert point(space, 3, []) == space.default


def test_no_point_is_proposed_twice() -> None:
    space = Space({"kind": Choice(("a", "b", "c"))}, {"kind": "b"}, ({"kind": "c"},))
    tried: list[Hyperparameters] = []
    while (found := point(space, len(tried), tried)) is not None:
        tried.append(found)
    assert [one["kind"] for one in tried] == ["b", "c", "a"]
