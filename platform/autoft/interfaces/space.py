"""Search spaces: four kinds of parameter. Only the tuner knows how they are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = float | int | str | bool
Hyperparameters: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Uniform:
    """A number between two."""

    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    """A number between two, its logarithm uniform."""

    low: float
    high: float


@dataclass(frozen=True)
class Integer:
    """Both ends included."""

    low: int
    high: int


Parameter: TypeAlias = Choice | Uniform | LogUniform | Integer


@dataclass(frozen=True)
class Space:
    """What is searched for a candidate. `default` is the first trial; `first` are further points tried before the sampler's own.

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
