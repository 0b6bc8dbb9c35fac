"""Tuners with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest

from autoft.interfaces.events import TrialFinished, TrialStarted
from autoft.scaffold.templates.tuner.plugin import RandomTuner, point
from autoft.testing import check_tuner
from autoft.trial import run_trial
from broken import but, finds


def tuner(change: Callable[[Any, Any], Any]) -> Any:
    """A random search whose events are changed on their way: what is None is not told."""

    def search(self: Any, request: Any, on_event: Any) -> None:
        def hear(event: Any) -> None:
            for told in change(event, request):
                on_event(told)

        RandomTuner.search(self, request, hear)

    return but(RandomTuner, search=search)


def wrong_point(event: Any, request: Any) -> list[Any]:
    return [event.model_copy(update={"hyperparameters": {"other": 1}}) if isinstance(event, TrialFinished) else event]


def no_end(event: Any, request: Any) -> list[Any]:
    return [] if isinstance(event, TrialFinished) and event.trial == 2 else [event]


def two_ends(event: Any, request: Any) -> list[Any]:
    return [event, event] if isinstance(event, TrialFinished) else [event]


def fine(event: Any, request: Any) -> list[Any]:
    return [event.model_copy(update={"status": "done"}) if isinstance(event, TrialFinished) else event]


TUNERS = {"the trials \\[2\\] have no end": no_end, "told of after its end": two_ends, "trial . has \\['other'\\]": wrong_point}
TUNERS["failed, and is told as done"] = fine


@pytest.mark.parametrize("sentence", TUNERS)
def test_tuners(sentence: str) -> None:
    finds(lambda: check_tuner(tuner(TUNERS[sentence])), sentence)


def test_a_tuner_that_forgets_what_had_ended() -> None:
    def search(self: Any, request: Any, on_event: Any) -> None:
        RandomTuner.search(self, dataclasses.replace(request, history=()), on_event)

    finds(lambda: check_tuner(but(RandomTuner, search=search)), "had ended before the run was resumed, and is told of again")


def test_a_tuner_that_forgets_what_had_failed() -> None:
    """It takes the default of the model that fails once more, after the run was resumed."""

    def search(self: Any, request: Any, on_event: Any) -> None:
        started = request.history and TrialStarted(trial=4, candidate="failing", hyperparameters={"kind": "a"})
        history = (*request.history, started) if started else ()
        RandomTuner.search(self, dataclasses.replace(request, history=history), on_event)

    finds(lambda: check_tuner(but(RandomTuner, search=search)), "has the hyperparameters with which trial 3 failed before")


@pytest.mark.parametrize("memory", [0, 1], ids=["nothing", "what it tried last"])
def test_a_tuner_that_forgets_what_it_has_tried(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    """Other than the default, which it proposes first."""

    def forgetful(space: Any, seed: int, tried: Any) -> Any:
        return point(space, seed, tried[len(tried) - memory :] if tried else [])

    monkeypatch.setattr("autoft.scaffold.templates.tuner.plugin.point", forgetful)
    finds(lambda: check_tuner(RandomTuner()), r"it tries hyperparameters again that have failed: \{'kind': '.'\}")


def test_a_tuner_in_a_space_that_is_used_up_goes_to_others_then_ends() -> None:
    """Of a search of six trials, two could be of the model that has but two points; of one of fifty over that model alone there are two."""
    found: list[list[str]] = []

    def search(self: Any, request: Any, on_event: Any) -> None:
        names: list[str] = []
        found.append(names)

        def hear(event: Any) -> None:
            names.extend([event.candidate] if isinstance(event, TrialStarted) else [])
            on_event(event)

        RandomTuner.search(self, request, hear)

    check_tuner(but(RandomTuner, search=search))
    assert found[0] == ["linear", "failing", "linear", "failing", "linear", "linear"]
    assert ["failing", "failing"] in found


def test_a_tuner_that_gives_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(self: Any, request: Any, on_event: Any) -> None:
        with contextlib.suppress(Exception):
            threading.Event().wait(60)

    monkeypatch.setattr("autoft.testing.tuners.SILENT_SECONDS", 0.2)
    finds(lambda: check_tuner(but(RandomTuner, search=search)), "search gave no sign for 0.2 s")


def test_a_tuner_that_decides_what_is_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def halting(*arguments: Any, **named: Any) -> Any:
        return run_trial(*arguments, **{**named, "listen": lambda event: "halt"})

    monkeypatch.setattr("autoft.scaffold.templates.tuner.plugin.run_trial", halting)
    finds(lambda: check_tuner(RandomTuner()), 'is failed .TypeError: the tuner\'s `listen` answered \'halt\'; a Decision is "go" or "stop"')
