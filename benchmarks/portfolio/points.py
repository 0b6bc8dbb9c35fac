"""Points of a search space in terms that mean the same for another source and for more or fewer rows.

The learning rate and the epochs are told as multiples of the space's default, the rest as it is: the defaults follow from the size of the
source and of the data, see `autoft_plugins.models.transformer.spaces`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform, Value

SCALED = ("learning_rate", "epochs")
SEED = 0
"""Of the scrambling: the same points each time, and the first ones of more points are those of fewer."""


def relative(point: Hyperparameters, space: Space) -> Hyperparameters:
    """A point of `space` in relative terms."""
    return {name: value / space.default[name] if name in SCALED else value for name, value in point.items()}


def absolute(terms: Hyperparameters, space: Space) -> Hyperparameters:
    """The point of `space` that relative terms stand for: numbers are held within their bounds, what the terms lack has its default, and
    what the space lacks is left out. Raises ValueError for a choice that the space does not give."""
    point = {name: value * space.default[name] if name in SCALED else value for name, value in terms.items()}
    return {name: _within(name, parameter, point.get(name, space.default[name])) for name, parameter in space.parameters.items()}


def _within(name: str, parameter: Parameter, value: Any) -> Value:
    match parameter:
        case Choice(values):
            if value not in values:
                raise ValueError(f"{name} is {value!r}, the space gives {', '.join(map(repr, values))}")
            return value
        case Integer(low, high):
            return min(high, max(low, round(value)))
        case Uniform(low, high) | LogUniform(low, high):
            return min(high, max(low, float(value)))


def drawn(space: Space, many: int) -> list[Hyperparameters]:
    """So many points of a scrambled Sobol sequence (Owen, 1998), which fill a space more evenly than chance does."""
    from scipy.stats import qmc

    if not many:
        return []
    shares = qmc.Sobol(len(space.parameters), scramble=True, rng=SEED).random_base2(math.ceil(math.log2(many)))[:many].tolist()
    return [{name: _at(*pair) for (name, *pair) in zip(space.parameters, space.parameters.values(), row, strict=True)} for row in shares]


def _at(parameter: Parameter, share: float) -> Value:
    """The value so far from the lowest to the highest, `share` in [0, 1)."""
    match parameter:
        case Choice(values):
            return values[int(share * len(values))]
        case Integer(low, high):
            return low + int(share * (high - low + 1))
        case Uniform(low, high):
            return low + share * (high - low)
        case LogUniform(low, high):
            return low * (high / low) ** share


def widest(spaces: Iterable[Space]) -> Space:
    """The one with most parameters. Raises ValueError where another has one that it lacks."""
    spaces = list(spaces)
    found = max(spaces, key=lambda space: len(space.parameters))
    if lacking := sorted({name for space in spaces for name in space.parameters} - set(found.parameters)):
        raise ValueError(f"no set has all parameters: {', '.join(lacking)} come beside others")
    return found


def points(space: Space, many: int) -> dict[str, Hyperparameters]:
    """By name and in relative terms: the default, the first points made by hand, and `many` drawn ones."""
    named = {"default": space.default}
    named |= {f"first {number}": point for number, point in enumerate(space.first, start=1)}
    named |= {f"drawn {number}": point for number, point in enumerate(drawn(space, many), start=1)}
    return {name: relative(point, space) for name, point in named.items()}


def by_hand(name: str) -> bool:
    """Whether a name of `points` is that of a point made by hand."""
    return not name.startswith("drawn ")
