"""Random search, one trial after another in the process of the run."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence

import autoft
from autoft.catalog import Catalog
from autoft.interfaces.events import Event, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import Decision, TrialSpec
from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space
from autoft.interfaces.tuner import SearchRequest, Tuner
from autoft.trial import run_trial, trial_seed


class RandomTuner:
    """The candidates take turns: the default of each first, then points drawn at random. Without `trials` and deadline it ends after 20."""

    name = "example-plugin"
    summary = "random search in the run's own process"

    def search(self, request: SearchRequest, on_event: Callable[[Event], None]) -> None:
        catalog = Catalog.build(request.plugin_files)
        task = catalog.task(request.data.problem.task)
        begun = {event.trial: event for event in request.history if isinstance(event, TrialStarted)}
        ended = {event.trial for event in request.history if isinstance(event, TrialFinished)}
        most = request.trials or (20 if request.deadline is None else 10_000)

        def listen(event: TrialReported) -> Decision:
            on_event(event)
            return "go"  # or "stop": a trial that does not pay ends after this evaluation

        for number in range(request.first_number, request.first_number + most):
            if request.stop_file.exists() or (request.deadline is not None and time.time() >= request.deadline):
                return
            if number in ended or not request.candidates:
                continue
            turn = number - request.first_number
            candidate = request.candidates[turn % len(request.candidates)]
            seed = trial_seed(request.seed, number)
            chosen = point(request.spaces[candidate.name], seed, first=turn < len(request.candidates))
            if number in begun:
                candidate = next(one for one in request.candidates if one.name == begun[number].candidate)
                chosen = begun[number].hyperparameters
            on_event(TrialStarted(trial=number, candidate=candidate.name, hyperparameters=chosen))
            outcome = run_trial(
                TrialSpec(number, candidate, chosen, seed), request.data, catalog.model(candidate.model), task,
                request.folder / "trials" / str(number), listen=listen, deadline=request.deadline, stop_file=request.stop_file,
            )  # fmt: skip
            told = ("status", "progress", "metrics", "value", "seconds", "busy_seconds", "reason")
            found = {name: getattr(outcome, name) for name in told}
            on_event(TrialFinished(trial=number, candidate=candidate.name, hyperparameters=chosen, **found))


def point(space: Space, seed: int, *, first: bool) -> Hyperparameters:
    """The default, or one drawn by `seed`."""
    generator = random.Random(seed)
    return dict(space.default) if first else {name: drawn(one, generator) for name, one in space.parameters.items()}


def drawn(parameter: Parameter, generator: random.Random) -> float | int | str | bool:
    """A value of one of the four kinds of parameter."""
    if isinstance(parameter, Choice):
        return parameter.values[generator.randrange(len(parameter.values))]
    if isinstance(parameter, Integer):
        return generator.randint(parameter.low, parameter.high)
    if isinstance(parameter, LogUniform):
        value = math.exp(generator.uniform(math.log(parameter.low), math.log(parameter.high)))
        return min(max(value, parameter.low), parameter.high)
    return generator.uniform(parameter.low, parameter.high)


@autoft.hookimpl
def autoft_register_tuners() -> Sequence[Tuner]:
    """What the entry point gives to autoft."""
    return [RandomTuner()]
