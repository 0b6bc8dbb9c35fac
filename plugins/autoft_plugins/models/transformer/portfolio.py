"""First points of `full` beside its default, mined from trials on data that nothing is judged by: `benchmarks/portfolio` measures them and
writes portfolio.json, in terms that mean the same for another source and for more or fewer rows.

The learning rate and the epochs are told as multiples of a space's default, the rest as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Uniform, Value

SCALED = ("learning_rate", "epochs")


def portfolio(parameters: Mapping[str, Parameter], default: Hyperparameters) -> list[Hyperparameters]:
    """The points in their order, as those of a space."""
    return [placed(terms, parameters, default) for terms in _mined()]


def relative(point: Hyperparameters, default: Hyperparameters) -> Hyperparameters:
    """A point of a space in terms of its default."""
    return {name: value / default[name] if name in SCALED else value for name, value in point.items()}


def placed(terms: Hyperparameters, parameters: Mapping[str, Parameter], default: Hyperparameters) -> Hyperparameters:
    """The point of a space that relative terms stand for: numbers are held within their bounds, what the terms lack, or name a choice of
    that the space does not give, has its default, and what the space lacks is left out."""
    point = default | {name: value * default[name] if name in SCALED else value for name, value in terms.items() if name in parameters}
    return {name: _within(parameter, point[name], default[name]) for name, parameter in parameters.items()}


def _within(parameter: Parameter, value: Value, default: Value) -> Value:
    match parameter:
        case Choice(values):
            return value if value in values else default
        case Integer(low, high):
            return min(high, max(low, round(float(value))))
        case Uniform(low, high) | LogUniform(low, high):
            return min(high, max(low, float(value)))


@cache
def _mined() -> tuple[Hyperparameters, ...]:
    content = json.loads(resources.files(__package__).joinpath("portfolio.json").read_text(encoding="utf-8"))
    return tuple(one["relative"] for one in content["portfolio"])
