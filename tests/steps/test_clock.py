"""How the time of a run is shared out: how the end of a search is put off, what is kept for the test rows."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from autoft.hardware import limits
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate
from autoft.interfaces.source import Source
from autoft.steps import clock as steps_clock
from autoft.steps.clock import (
    ANSWERING,
    ANSWERS,
    CHEAP_REFIT,
    CHEAP_SHARE,
    FIRST,
    LIBRARIES,
    LONG,
    MOST_ANSWERS,
    OVERHEAD,
    REST,
    ROUNDED,
    SHORT_PROOF,
    SLOWEST,
    START,
    STOPPED,
    Clock,
)

CHEAP = Candidate("cheap")


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time(), 300.0, False, limits(None), 1.0, 100, 100)


def test_an_end_leaves_time_for_two_rounds_of_confirmation_and_the_refit(clock: Clock) -> None:
    closing = clock.closing([CHEAP])
    assert closing is not None
    early = closing - 100
    assert clock.put_off([CHEAP], 20, 24, early) == pytest.approx(closing - 20 - 2 * 24, abs=0.5)
    assert clock.put_off([CHEAP], 20, 60, early) == pytest.approx(closing - 20 - 60, abs=0.5), "one round fits behind the end there was"
    assert clock.put_off([CHEAP], 20, 90, early) == pytest.approx(closing - 20, abs=0.5), "none does: the search goes on until the refit"
    assert clock.put_off([CHEAP], 120, 1, early) == pytest.approx(closing - 90, abs=0.5), "the refit fits with fewer steps"
    assert clock.put_off([CHEAP], 150, 1, early) == pytest.approx(closing, abs=0.5), "nor so"


@pytest.mark.parametrize(("share", "kept"), [(0.5, 0.5), (0.55, 0.45), (0.8, 0.2)])
def test_a_refit_that_fits_but_for_a_quarter_of_its_steps_has_its_time(clock: Clock, share: float, kept: float) -> None:
    """One candidate whose trial takes `share` of the room: `kept` of it is for the refit on as many rows, or for whatever may come."""
    closing = clock.closing([CHEAP])
    assert closing is not None
    room = closing - time.time() - START
    dear = Candidate("dear", flops=share * room * clock.limits.flops / OVERHEAD)
    assert clock.searching([dear]) == pytest.approx(closing - (kept * room - FIRST), abs=1.0)


@pytest.mark.parametrize(("share", "kept"), [(0.4, 0.4 / OVERHEAD), (0.6, 0.4), (0.8, 0.0)])
def test_what_is_known_to_do_better_is_refitted_before_others_are_tried(clock: Clock, share: float, kept: float) -> None:
    """Its trial takes `share` of the room, evaluations among it, and that of another one all of it."""
    closing = clock.closing([CHEAP])
    assert closing is not None
    room = closing - time.time() - START
    known, other = (Candidate(name, flops=part * room * clock.limits.flops / OVERHEAD) for name, part in (("known", share), ("dear", 1.0)))
    assert clock.searching([known, other]) == pytest.approx(closing - CHEAP_REFIT, abs=1.0)
    least = max(CHEAP_REFIT, kept * room - (FIRST if share + kept == 1 else 0.0))
    assert clock.searching([replace(known, preferred=True), other]) == pytest.approx(closing - least, abs=1.0)


@pytest.mark.parametrize(("share", "slots"), [(0.97, None), (1.03, 1)])
def test_a_trial_that_one_core_would_hardly_end_gets_all(clock: Clock, share: float, slots: int | None) -> None:
    threads = clock.limits.threads
    seconds = share * (LONG * 100 / threads - FIRST)
    dear = Candidate("dear", flops=seconds / OVERHEAD * clock.limits.flops)
    assert clock.side_by_side([CHEAP, dear], time.time() + 100) == slots


def row(candidate: str, seconds: float, progress: int = 100, shared: float = 0.0) -> TrialFinished:
    return TrialFinished(
        trial=1, candidate=candidate, status="done", progress=progress, metrics={}, value=0.5, seconds=seconds, hyperparameters={},
        shared_seconds=shared,
    )  # fmt: skip


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
    assert Clock(time.time(), None, False, limits(None), 1.0, 100, 100).put_off([CHEAP], 1, 1, 0.0) is None


def test_what_one_trial_does_for_all_others_tells_how_slow_the_machine_is(clock: Clock) -> None:
    """Those that found it done would make the machine seem quick."""
    known, promised = {"dear": Candidate("dear", flops=20 * clock.limits.flops)}, OVERHEAD * 20
    rows = [row("dear", 3 * promised, shared=3 * promised - 1), *(row("dear", 1.0) for _ in range(4))]
    assert clock.at_pace(rows, known, 1).pace == pytest.approx(3.0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose speed is known."""
    monkeypatch.setattr(steps_clock, "matmul_flops", lambda: 1e9)


def dear(seconds: float) -> Candidate:
    """One whose answers to the 100 test rows of `clock` take so long."""
    return Candidate("dear", forward=ANSWERING * 1e9 * seconds / 100)


@pytest.mark.usefixtures("slow")
def test_small_sources_answer_slower_than_their_size_promises(clock: Clock, tmp_path: Path) -> None:
    def answers(parameters: int) -> float:
        return clock.testing(replace(dear(70), source=Source("s", tmp_path, "0" * 64, parameters=parameters)))

    assert answers(109_000_000) == pytest.approx(70)
    assert answers(22_700_000) == pytest.approx(89, abs=0.2)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(("test", "kept"), [(10, 30), (60, ANSWERS * 300), (120, 120), (250, 250)])
def test_the_test_rows_get_what_they_need_and_the_proof_what_is_left_of_its_share(clock: Clock, test: float, kept: float) -> None:
    """There are as many rows for the proof, each answered twice."""
    fixed = clock.closing_seconds(CHEAP)
    assert clock.closing_seconds(dear(test)) == pytest.approx(fixed + kept)
    assert replace(clock, budget=None).closing_seconds(dear(test)) == pytest.approx(fixed + 3 * test)


@pytest.mark.usefixtures("slow")
def test_rows_of_the_proof_give_way_to_a_refit(clock: Clock) -> None:
    many = replace(clock, validation=5 * SHORT_PROOF, test=10)
    one = Candidate("one", forward=ANSWERING * 1e9 / 100)  # 100 rows a second
    assert many.closing_seconds(one) - many.with_short_proof().closing_seconds(one) == pytest.approx(2 * 4 * SHORT_PROOF / 100)
    few = replace(clock, validation=SHORT_PROOF // 2)
    assert few.with_short_proof() == few
    closing, short = many.closing([one]), many.with_short_proof().closing([one])
    assert closing is not None
    assert short is not None
    early = closing - 60
    assert many.put_off([one], 80, 1, early) == pytest.approx(closing - 60, abs=0.5), "three quarters fit as it is"
    assert many.put_off([one], 90, 1, early) == pytest.approx(short - 67.5, abs=0.5), "they fit so"
    assert many.put_off([one], 120, 1, early) == pytest.approx(closing, abs=0.5), "nor so"


@pytest.mark.usefixtures("slow")
def test_a_search_has_its_time_whatever_the_test_rows_take(clock: Clock) -> None:
    fixed = clock.closing_seconds(CHEAP)
    most = MOST_ANSWERS * 300
    for test in (most, most + 10, 10 * most):
        ends = clock.searching([replace(dear(test), flops=1e6 * clock.limits.flops)])
        closing = clock.started + 300 - fixed - most
        assert ends == pytest.approx(closing - CHEAP_REFIT, abs=0.5), "one trial that takes all there is, but for a cheap refit"
    assert (clock.put_off([dear(300)], 1, 1, clock.started + 100) or float("inf")) < clock.started, (
        "neither confirmation nor refit comes before the test"
    )


def test_a_cheap_refit_has_its_time_though_the_dearest_has_none(clock: Clock) -> None:
    endless = replace(CHEAP, flops=1e6 * clock.limits.flops)
    for budget, kept in ((300.0, CHEAP_REFIT), (60.0, CHEAP_SHARE * (60 - clock.closing_seconds(CHEAP) - START))):
        short = replace(clock, budget=budget)
        closing, ends = short.closing([endless]), short.searching([endless])
        assert closing is not None
        assert ends == pytest.approx(closing - kept, abs=0.1)


@pytest.mark.usefixtures("slow")
def test_what_the_test_rows_cost_is_told_where_it_is_much(clock: Clock) -> None:
    assert clock.test_in_words([CHEAP, dear(89)]) is None
    assert clock.test_in_words([]) is None
    assert clock.unanswerable(dear(179)) == ""
    assert "to answer the 100 test rows it would take about 190 of the 300 s" in clock.unanswerable(dear(190))
    assert replace(clock, budget=None).unanswerable(dear(190)) == ""
    said, kept = clock.test_in_words([dear(120), CHEAP]) or ("", False)
    assert "100 test rows take dear about 120 s to answer, of the 300 s there are" in said
    assert kept
    said, kept = clock.test_in_words([CHEAP, dear(240)]) or ("", True)
    assert "about 60 s late" in said
    assert "--budget 400s" in said
    assert not kept
    assert replace(clock, budget=None).test_in_words([dear(240)]) is None
    enough = replace(clock, budget=400.0).test_in_words([dear(240)])
    assert enough is not None
    assert enough[1], "the budget that was named is enough"


@pytest.mark.usefixtures("slow")
def test_answers_tell_how_slow_the_machine_is(clock: Clock) -> None:
    assert clock.answered(dear(10), 100, 25.0).pace == pytest.approx(2.5)
    assert clock.answered(dear(10), 100, 5.0).pace == 1.0
    assert clock.answered(dear(10), 100, 500.0).pace == SLOWEST
    assert clock.answered(dear(10), 5, 5.0).pace == 1.0, "half a second is overhead"
    assert clock.answered(CHEAP, 100, 5.0).pace == 1.0


@pytest.mark.usefixtures("slow")
def test_the_speed_is_looked_at_again_where_a_choice_hangs_on_it(clock: Clock) -> None:
    half = Candidate("half", flops=0.6 * 300 * clock.limits.flops)
    assert clock.hangs_on_speed([CHEAP], [half]), "it is passed over, and would not be on a machine twice as fast"
    assert clock.hangs_on_speed([dear(120)], [])
    assert not clock.hangs_on_speed([CHEAP, dear(80), replace(half, flops=half.flops / 2)], [dear(120)])
    assert not replace(clock, budget=None).hangs_on_speed([half], [])


def test_a_proof_leaves_time_for_the_rows_behind_it(clock: Clock) -> None:
    assert clock.proving() == pytest.approx(300 - REST, abs=0.5)
    assert replace(clock, started=clock.started - 400).proving() == 0.0
    assert replace(clock, budget=None).proving() is None
    assert clock.after_proof == 100
    assert replace(clock, exports=ROUNDED).after_proof == 100 + 2 * 2 * 100


@pytest.mark.parametrize(("budget", "seconds"), [(300.0, STOPPED), (None, STOPPED), (REST + 1, 1.0), (1.0, 0.0)])
def test_who_stopped_a_run_does_not_wait_for_all_rows_of_the_proof(clock: Clock, budget: float | None, seconds: float) -> None:
    clock = replace(clock, started=time.time(), budget=budget)
    assert clock.proving(stopped=True) == pytest.approx(seconds, abs=0.5)


def test_libraries_are_loaded_for_pretrained_sources_only(clock: Clock) -> None:
    pretrained = Candidate("full", Source("tiny", Path("/x"), "tiny"))
    assert clock.closing_seconds(pretrained) == pytest.approx(clock.closing_seconds(CHEAP) + LIBRARIES)
