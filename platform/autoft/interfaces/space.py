"""Search spaces: four kinds of parameter. Only the tuner knows how they are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = float | int | str | bool
Hyperparameters: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """One of some values, in no order."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Uniform:
    """A number from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    """A number from `low`, above 0, to `high`, its logarithm uniform: for what matters by its order of magnitude, as learning rates."""

    low: float
    high: float


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both ends included."""

    low: int
    high: int


Parameter: TypeAlias = Choice | Uniform | LogUniform | Integer


@dataclass(frozen=True)
class Space:
    """What is searched for a candidate: `parameters` by name. `default` is the first trial; `first` are further points, in their order,
    that are tried before the sampler's own. Every point has a value for every parameter, else ValueError. The seed is none of them.

    `memory` names parameters, numbers, of which a larger value needs more memory: after a trial that ran out of it, smaller ones are tried.
    """

    parameters: Mapping[str, Parameter]
    default: Hyperparameters
    first: tuple[Hyperparameters, ...] = field(default=())
    memory: tuple[str, ...] = ("batch_size",)

    def __post_init__(self) -> None:
        for point in (self.default, *self.first):
            if set(point) != set(self.parameters):
                raise ValueError(f"a point names {sorted(point)}, the space {sorted(self.parameters)}")
