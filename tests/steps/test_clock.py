"""How the end of a search is put off."""

from __future__ import annotations

import time

import pytest

from autoft.hardware import limits
from autoft.interfaces.model import Candidate
from autoft.steps.clock import OVERHEAD, START, Clock

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


def test_without_a_budget_there_is_no_end() -> None:
    assert Clock(time.time(), None, False, limits(None), 1.0, 100, 100).put_off(CHEAP, 1, 1, 0.0) is None
