"""Random search, one trial after another in the process of the run."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Sequence

import autoft
from autoft.catalog import Catalog
from autoft.hardware import cores
from autoft.interfaces.events import Event, Remark, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import Decision, TrialSpec
from autoft.interfaces.space import Choice, Hyperparameters, Integer, LogUniform, Parameter, Space
from autoft.interfaces.tuner import SearchRequest, Tuner
from autoft.trial import run_trial, trial_seed

DRAWS = 100
"""So many points are drawn for a trial before a candidate counts as used up."""


class RandomTuner:
    """The candidates take turns: the default of each first, then the other first points of its space, then points drawn at random, none of
    them twice. It ends where nothing new is left, and without `trials` and deadline after 20."""

    name = "example-plugin"
    summary = "random search in the run's own process"

    def search(self, request: SearchRequest, on_event: Callable[[Event], None]) -> None:
        catalog = Catalog.build(request.plugin_files)
        task = catalog.task(request.data.problem.task)
        candidates = {one.name: one for one in request.candidates}
        begun = {event.trial: event for event in request.history if isinstance(event, TrialStarted)}
        ended = {event.trial for event in request.history if isinstance(event, TrialFinished)}
        most = request.trials or (20 if request.deadline is None else 10_000)
        tried = {name: [row.hyperparameters for row in request.tried if row.candidate == name] for name in candidates}
        for event in begun.values():
            tried[event.candidate].append(event.hyperparameters)
        for flag in ("gpu_hours", "hang_after"):
            if getattr(request, flag) is not None:
                on_event(Remark(level="warning", text=f"the tuner {self.name} does not keep to --{flag.replace('_', '-')}"))

        def listen(event: TrialReported) -> Decision:
            on_event(event)
            return "go"  # or "stop": a trial that does not pay ends after this evaluation

        for number in range(request.first_number, request.first_number + most):
            if request.stop_file.exists() or (request.deadline is not None and time.time() >= request.deadline):
                return
            if number in ended:
                continue
            seed = trial_seed(request.seed, number)
            turn = (number - request.first_number) % max(1, len(request.candidates))
            turns = [*request.candidates[turn:], *request.candidates[:turn]]  # one that is used up gives its turn to the next
            proposed = ((one, point(request.spaces[one.name], seed, tried[one.name])) for one in turns)
            candidate, chosen = next((pair for pair in proposed if pair[1] is not None), (None, None))
            if number in begun:
                candidate, chosen = candidates[begun[number].candidate], begun[number].hyperparameters
            if candidate is None or chosen is None:
                return
            tried[candidate.name].append(chosen)
            on_event(TrialStarted(trial=number, candidate=candidate.name, hyperparameters=chosen))
            outcome = run_trial(
                TrialSpec(number, candidate, chosen, seed, cores()), request.data, catalog.model(candidate.model), task,
                request.folder / "trials" / str(number), listen=listen, deadline=request.deadline, stop_file=request.stop_file,
            )  # fmt: skip
            on_event(TrialFinished(trial=number, candidate=candidate.name, hyperparameters=chosen, **outcome.told()))


def point(space: Space, seed: int, tried: Sequence[Hyperparameters]) -> Hyperparameters | None:
    """One that is none of `tried`: a first point, else one drawn by `seed`, or None where nothing new is found."""
    generator = random.Random(seed)
    draws = ({name: drawn(one, generator) for name, one in space.parameters.items()} for _ in range(DRAWS))
    return next((one for one in itertools.chain([space.default, *space.first], draws) if one not in tried), None)


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
