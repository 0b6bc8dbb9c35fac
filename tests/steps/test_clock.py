"""How the end of a search is put off."""

from __future__ import annotations

import time

import pytest

from autoft.hardware import limits
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate
from autoft.steps.clock import OVERHEAD, SLOWEST, START, Clock

CHEAP = Candidate("cheap")


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time(), 300.0, False, limits(None), 1.0, 100, 100)


def test_an_end_leaves_time_for_two_rounds_of_confirmation_and_the_refit(clock: Clock) -> None:
    closing = clock.closing([CHEAP])
    assert closing is not None
    early = closing - 100
    assert clock.put_off(CHEAP, 20, 24, early) == pytest.approx(closing - 20 - 2 * 24, abs=0.5)
    assert clock.put_off(CHEAP, 20, 60, early) == pytest.approx(closing - 20 - 60, abs=0.5), "one round fits behind the end there was"
    assert clock.put_off(CHEAP, 20, 90, early) == pytest.approx(closing - 20, abs=0.5), "none does: the search goes on until the refit"
    assert clock.put_off(CHEAP, 120, 1, early) == pytest.approx(closing - 90, abs=0.5), "the refit fits with fewer steps"
    assert clock.put_off(CHEAP, 150, 1, early) == pytest.approx(closing, abs=0.5), "nor so"


@pytest.mark.parametrize(("share", "kept"), [(0.5, 0.5), (0.55, 0.45), (0.8, 0.2)])
def test_a_refit_that_fits_but_for_a_quarter_of_its_steps_has_its_time(clock: Clock, share: float, kept: float) -> None:
    """One candidate whose trial takes `share` of the room: `kept` of it is for the refit on as many rows, or for whatever may come."""
    closing = clock.closing([CHEAP])
    assert closing is not None
    room = closing - time.time() - START
    dear = Candidate("dear", flops=share * room * clock.limits.flops / OVERHEAD)
    assert clock.searching([dear]) == pytest.approx(closing - kept * room, abs=1.0)


def row(candidate: str, seconds: float, progress: int = 100) -> TrialFinished:
    return TrialFinished(
        trial=1, candidate=candidate, status="done", progress=progress, metrics={}, value=0.5, seconds=seconds, hyperparameters={}
    )


def test_a_machine_that_turns_out_slow_keeps_more_time_for_the_end(clock: Clock) -> None:
    dear, cheap = Candidate("dear", flops=10 * clock.limits.flops), Candidate("cheap", flops=clock.limits.flops)
    known = {"dear": dear, "cheap": cheap}
    promised = OVERHEAD * 10 * clock.limits.threads  # with one core of them
    slots = clock.limits.threads
    paced = clock.at_pace([row("dear", promised, 50), row("cheap", 1.0), row("majority", 1.0)], known, slots)
    assert paced.pace == pytest.approx(2.0), "half of it took what was promised for all"
    assert paced.closing_seconds(CHEAP) == pytest.approx(2 * clock.closing_seconds(CHEAP))
    assert paced.asking(CHEAP, 10) == pytest.approx(2 * clock.asking(CHEAP, 10))
    assert clock.at_pace([row("dear", promised / 2)], known, slots).pace == 1.0, "nothing is taken to be quicker"
    assert clock.at_pace([row("dear", 50 * promised)], known, slots).pace == SLOWEST
    assert clock.at_pace([row("dear", promised, 10)], known, slots).pace == 1.0, "it has hardly begun"
    assert clock.at_pace([row("cheap", 60.0)], known, slots).pace == 1.0, "its second is mostly overhead"
    assert clock.at_pace([row("dear", promised)], known, 1).pace == pytest.approx(clock.limits.threads), "it had all cores"


def test_without_a_budget_there_is_no_end() -> None:
    assert Clock(time.time(), None, False, limits(None), 1.0, 100, 100).put_off(CHEAP, 1, 1, 0.0) is None
