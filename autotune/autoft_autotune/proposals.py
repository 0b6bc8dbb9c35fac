"""What to try next of one candidate: the default, its first points, then TPE (Bergstra et al., NIPS 2011), with optuna's ask and tell."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Iterator
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

ATTEMPTS = 30
"""Draws until something that was not tried before is found; then the space counts as exhausted."""


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


def contains(parameter: Parameter, value: Any) -> bool:
    """Whether the sampler could have drawn `value`."""
    if isinstance(parameter, Choice):
        return value in parameter.values
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high


class Proposer:
    """One study. All drawing is a function of the seed given to `ask` and of what was told before."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._distributions = {name: distribution(parameter) for name, parameter in space.parameters.items()}
        self._waiting = [space.default, *space.first]
        self._tried: set[str] = set()
        self._open: dict[int, optuna.Trial] = {}
        with _quiet():
            self._study = optuna.create_study(direction="maximize")

    def ask(self, number: int, seed: int) -> Hyperparameters | None:
        """Hyperparameters of trial `number`, never proposed before; None when nothing new is left."""
        while self._waiting:
            point = dict(self._waiting.pop(0))
            if self._new(point):
                self._given(number, point)
                return point
        for attempt in range(ATTEMPTS if self._distributions else 0):
            trial = self._draw(trial_seed(seed, attempt) if attempt else seed)
            point = {name: trial.params[name] for name in self._space.parameters}
            if self._new(point):
                self._open[number] = trial
                return point
            with _quiet():
                self._study.tell(trial, state=TrialState.FAIL)
        return None

    def tell(self, number: int, status: Status, key: float | None, progress: int) -> None:
        """How trial `number` ended; `key` is its best score, greater is better. Stopped trials count as pruned at `progress`."""
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

    def _new(self, point: Hyperparameters) -> bool:
        written = json.dumps(point, sort_keys=True, default=str)
        if written in self._tried:
            return False
        self._tried.add(written)
        return True

    def _given(self, number: int, point: Hyperparameters) -> None:
        # A point outside the space is tried all the same, but the sampler cannot learn from it.
        if self._distributions and all(contains(parameter, point[name]) for name, parameter in self._space.parameters.items()):
            with _quiet():
                self._study.enqueue_trial(point)
                self._open[number] = self._study.ask(self._distributions)

    def _draw(self, seed: int) -> optuna.Trial:
        with _quiet():
            self._study.sampler = TPESampler(multivariate=True, n_startup_trials=RANDOM_TRIALS, constant_liar=True, seed=seed)
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
