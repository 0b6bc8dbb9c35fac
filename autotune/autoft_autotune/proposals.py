"""What to try next of one candidate: the default, its first points, then TPE (Bergstra et al., NIPS 2011), with optuna's ask and tell."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from autoft.interfaces.events import Status
from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform
from autoft.trial import trial_seed

RANDOM_TRIALS = 5
"""TPE draws at random until this many trials have ended."""

ATTEMPTS, ATTEMPTS_AMONG_FEW = 30, 5
"""Draws until something that was not tried before is found; the same in a space of at most `MOST_POINTS`, whose best corner is soon used
up: 30 draws each time, in vain, took longer than many a trial."""

MOST_POINTS = 10_000
"""Of a space with no more points than this, what draws do not find is looked up; larger ones count as exhausted then."""


def distribution(parameter: Parameter) -> BaseDistribution:
    """The same parameter in optuna's words."""
    match parameter:
        case Choice(values):
            return CategoricalDistribution(values)
        case Uniform(low, high):
            return FloatDistribution(low, high)
        case LogUniform(low, high):
            return FloatDistribution(low, high, log=True)
        case Integer(low, high):
            return IntDistribution(low, high)


class Ceilings:
    """The largest values that may still be proposed, of parameters that cost memory."""

    def __init__(self, space: Space) -> None:
        self._parameters = {name: space.parameters[name] for name in space.memory if name in space.parameters}
        self._most: dict[str, Any] = {}

    def lower(self, point: Hyperparameters) -> None:
        """With `point` memory ran out: from now on less than that, or no more where there is no less."""
        for name, parameter in self._parameters.items():
            if isinstance(point[name], int | float):
                most = below(parameter, point[name])
                self._most[name] = min(most, self._most.get(name, most))

    def lowered(self, point: Hyperparameters) -> Hyperparameters:
        """The same with nothing above its ceiling."""
        return {name: min(value, self._most.get(name, value)) if isinstance(value, int | float) else value for name, value in point.items()}


def below(parameter: Parameter, value: Any) -> Any:
    """The next smaller value that is worth a trial: half as much where any number is allowed; `value` itself where there is none."""
    match parameter:
        case Choice(values):
            return max((one for one in values if isinstance(one, int | float) and one < value), default=value)
        case Integer(low, _):
            return min(value, max(low, value // 2))
        case Uniform(low, _) | LogUniform(low, _):
            return min(value, max(low, value / 2))


def all_points(space: Space) -> Iterator[Hyperparameters]:
    """Every point of a space of at most `MOST_POINTS`; none of a larger one."""
    axes = [axis(parameter) for parameter in space.parameters.values()]
    if axes and all(axes) and math.prod(map(len, axes)) <= MOST_POINTS:
        for values in itertools.product(*axes):
            yield dict(zip(space.parameters, values, strict=True))


def axis(parameter: Parameter) -> Sequence[Any]:
    """All values of a parameter that has few, else none."""
    match parameter:
        case Choice(values):
            return values
        case Integer(low, high):
            return range(low, high + 1)
        case Uniform(low, high) | LogUniform(low, high):
            return (low,) if low == high else ()


def _written(point: Hyperparameters) -> str:
    return json.dumps(point, sort_keys=True, default=str)


def contains(parameter: Parameter, value: Any) -> bool:
    """Whether the sampler could have drawn `value`."""
    if isinstance(parameter, Choice):
        return value in parameter.values
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high


class Sampler(TPESampler):
    """TPE of all parameters of a space together. Every trial of a study has the same ones: told so, it need not look through all trials for
    those they share, which took as long as all else in the draw."""

    def __init__(self, distributions: Mapping[str, BaseDistribution], seed: int) -> None:
        super().__init__(multivariate=True, n_startup_trials=RANDOM_TRIALS, constant_liar=True, seed=seed)
        self._together = {name: one for name, one in sorted(distributions.items()) if not one.single()}

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        return self._together


class Proposer:
    """One study. All drawing is a function of the seed given to `ask` and of what was told before."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._distributions = {name: distribution(parameter) for name, parameter in space.parameters.items()}
        self._waiting = [space.default, *space.first]
        self._points: dict[int, Hyperparameters] = {}
        self._tried: set[str] = set()
        self._open: dict[int, optuna.Trial] = {}
        self._ceilings = Ceilings(space)
        few = next(all_points(space), None) is not None
        self._attempts = 0 if not space.parameters else ATTEMPTS_AMONG_FEW if few else ATTEMPTS
        with _quiet():
            self._study = optuna.create_study(direction="maximize")

    def ask(self, number: int, seed: int) -> Hyperparameters | None:
        """Hyperparameters of trial `number`, never proposed before; None when nothing new is left."""
        while self._waiting:
            point = self._ceilings.lowered(self._waiting.pop(0))
            if self._is_new(point):
                return self._given(number, point)
        for attempt in range(self._attempts):
            trial = self._draw(trial_seed(seed, attempt) if attempt else seed)
            drawn = {name: trial.params[name] for name in self._space.parameters}
            point = self._ceilings.lowered(drawn)
            if self._is_new(point) and point == drawn:
                return self._note(number, point, trial)
            with _quiet():
                self._study.tell(trial, state=TrialState.FAIL)
            if self._is_new(point):
                return self._given(number, point)
        left = [point for point in all_points(self._space) if self._is_new(point) and self._ceilings.lowered(point) == point]
        return self._given(number, random.Random(seed).choice(left)) if left else None

    def recall(self, number: int, point: Hyperparameters) -> None:
        """Trial `number` was asked for before the run was resumed."""
        self._waiting = [one for one in self._waiting if self._ceilings.lowered(one) != point]
        self._given(number, point)

    def tell(self, number: int, status: Status, key: float | None, progress: int, *, out_of_memory: bool = False) -> None:
        """How trial `number` ended; `key` is its best score, greater is better. Stopped trials count as pruned at `progress`."""
        if out_of_memory:
            self._ceilings.lower(self._points[number])
        trial = self._open.pop(number, None)
        if trial is None:
            return
        with _quiet():
            if status == "failed" or key is None or not math.isfinite(key):
                self._study.tell(trial, state=TrialState.FAIL)
            elif status == "stopped":
                trial.report(key, progress)
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, key)

    def _is_new(self, point: Hyperparameters) -> bool:
        return _written(point) not in self._tried

    def _given(self, number: int, point: Hyperparameters) -> Hyperparameters:
        """A point that was not drawn. One outside the space is tried all the same, but the sampler cannot learn from it."""
        trial = None
        if self._distributions and all(contains(parameter, point.get(name)) for name, parameter in self._space.parameters.items()):
            with _quiet():
                self._study.enqueue_trial(point)
                trial = self._study.ask(self._distributions)
        return self._note(number, point, trial)

    def _note(self, number: int, point: Hyperparameters, trial: optuna.Trial | None) -> Hyperparameters:
        self._tried.add(_written(point))
        self._points[number] = point
        if trial is not None:
            self._open[number] = trial
        return point

    def _draw(self, seed: int) -> optuna.Trial:
        with _quiet():
            self._study.sampler = Sampler(self._distributions, seed)
            return self._study.ask(self._distributions)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """optuna without its log lines and its warnings about experimental arguments."""
    verbosity = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)
