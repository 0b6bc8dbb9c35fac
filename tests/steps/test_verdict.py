"""The verdict in words: what few rows, and rows without a fault, cannot show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.result import Estimate, MoreRows, MoreTime, Outlook, Size
from autoft.steps.failures import failures
from autoft.steps.judge import Interval, Judgement, faultless
from autoft.steps.rivals import Rivalry
from autoft.steps.verdict import Findings, unnamed_in_words, verdict
from stream_of_events import finished

PROBLEM = Problem(
    task="text-classification",
    fields={},
    inputs=("text",),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="f1_macro"),
)
PERFECT = Judgement(Interval(1.0, 1.0, 1.0), Interval(1.0, 1.0, 1.0), Interval(0.0, 0.0, 0.0))
GOOD = Judgement(Interval(0.9, 0.8, 0.95), Interval(0.7, 0.6, 0.8), Interval(0.2, 0.1, 0.3))


BEHIND = Judgement(Interval(0.8, 0.7, 0.9), Interval(0.9, 0.8, 0.95), Interval(-0.1, -0.2, -0.05))
EVEN = Judgement(Interval(0.9, 0.8, 0.95), Interval(0.89, 0.8, 0.95), Interval(0.01, -0.02, 0.04))
FACTS: dict[str, Any] = {
    "problem": PROBLEM, "winner": "full:a", "baseline": "linear", "judgement": GOOD, "itself": False, "alone": False, "all_right": False,
    "rows": 200, "learned": 100, "refitted": True,
}  # fmt: skip


def said(judgement: Judgement = GOOD, **changes: Any) -> str:
    return verdict(Findings(**{**FACTS, "judgement": judgement, **changes}))


def test_a_perfect_score_is_no_certainty() -> None:
    words = said(PERFECT, rows=18, itself=True, all_right=True)
    assert "1.000 to 1.000" not in words
    assert "up to 17 % of all others may still be" in words
    assert "Intervals" not in words
    assert "up to 1.5 %" in said(PERFECT, all_right=True)


def test_few_rows_are_told_of() -> None:
    assert "29 test rows are too few" in said(GOOD, rows=29)
    assert "too few" not in said(GOOD, rows=30)
    assert "0.900 (0.800 to 0.950) on 200 test rows" in said(GOOD)


def test_one_candidate_has_no_rival() -> None:
    assert "no other candidate was asked for" in said(GOOD, itself=True, alone=True)
    assert "no candidate was clearly better on the validation rows" in said(GOOD, itself=True)


def test_the_metric_is_explained() -> None:
    problem = PROBLEM.model_copy(update={"metric": Metric(name="r2", meaning="the share explained")})
    assert said(problem=problem).endswith("r2 is the share explained.")
    assert " is the" not in said(GOOD).partition("Intervals")[2]


def test_rows_that_are_all_right() -> None:
    tags = np.array([[0, 1, -1], [2, -1, -1]], np.int16)
    assert faultless(tags, tags[:, :2])
    assert not faultless(tags, tags[:, :1])
    assert not faultless(tags, np.array([[0, 1], [0, -1]], np.int16))
    assert faultless(np.array(["a", "b"], object), np.array(["a", "b"], object))
    assert not faultless(np.array([0, 1]), np.array([0, 0]))


def test_what_it_learned_from() -> None:
    assert "fitted anew on all 100 rows" in said()
    assert "not refitted on the validation rows" in said(refitted=False)
    assert "the mean of those of 2 trials" in said(refitted=False, averaged=2)
    assert "learned from 20 of the training rows only" in said(refitted=False, part=20)
    assert "the mean of those of 2 trials, which learned from 20 of the training rows only" in said(refitted=False, averaged=2, part=20)
    assert "fitted anew on all 100 rows" in said(part=20)
    assert "judged by cross-validation." in said(crossed=True)
    fewer = "judged by 2 of 5 folds: the time was short"
    assert f"judged by cross-validation. The winner's was {fewer}." in said(crossed=True, fewer=fewer)
    assert "confirmed over 3 further folds" in said(folds=3)
    assert "confirmed over 2 further seeds" in said(seeds=2)
    assert "not confirmed" in said()


def rivalry(judgement: Judgement | None, rows: Any = "test", candidate: str = "frozen:b") -> Rivalry:
    return Rivalry(finished(7, candidate, 0.89), rows if judgement else None, judgement)


def test_the_runner_up() -> None:
    assert "runner-up" not in said()
    assert "It beats the runner-up frozen:b (0.700) by 0.200 (0.100 to 0.300) on the test rows: more than" in said(
        rivalry=rivalry(GOOD), refitted=False
    )
    assert "frozen:b (0.700), before the refit, by" in said(rivalry=rivalry(GOOD))
    assert "before the refit" not in said(rivalry=rivalry(GOOD), crossed=True)
    assert "It does NOT beat the runner-up frozen:b (0.900)" in said(rivalry=rivalry(BEHIND), refitted=False)
    even = said(rivalry=rivalry(EVEN, "validation"), refitted=False)
    assert "is 0.010 (-0.020 to 0.040) on the validation rows, by which it was chosen: that may be chance." in even
    behind = said(rivalry=rivalry(Judgement(EVEN.other, EVEN.winner, Interval(-0.01, -0.04, 0.02)), "validation"))
    assert "is -0.010 (-0.040 to 0.020) on the validation rows: that may be chance." in behind
    assert "by which it was chosen: that flatters it." in said(rivalry=rivalry(GOOD, "validation"))
    assert "It is even with the runner-up frozen:b (1.000) on the test rows." in said(rivalry=rivalry(PERFECT), refitted=False)
    assert "trial 7, another full:a" in said(rivalry=rivalry(EVEN, candidate="full:a"))
    assert "not held against the runner-up frozen:b" in said(rivalry=rivalry(None))


def outlook(helps: Any, gain: Estimate | None, untried: tuple[str, ...] = (), rows: MoreRows | None = None) -> Outlook:
    return Outlook(time=MoreTime(helps=helps, gain=gain, course=[], seconds=1.0, untried=list(untried)), rows=rows)


def test_more_time() -> None:
    gain = Estimate(value=0.02, low=0.01, high=0.03)
    assert "More time may help: the second half of the search added 0.020 (0.010 to 0.030)" in said(outlook=outlook("yes", gain))
    none = Estimate(value=0.0, low=0.0, high=0.0)
    assert "its second half found nothing better" in said(outlook=outlook("no", none))
    little = Estimate(value=0.02, low=-0.01, high=0.03)
    assert "0.020 (-0.010 to 0.030), may be chance" in said(outlook=outlook("unclear", little))
    assert "Too few trials ended to tell whether more time would help." in said(outlook=outlook("unclear", None))
    assert "There was no time to try full:b." in said(outlook=outlook("unclear", None, ("full:b",)))


def test_more_rows() -> None:
    gain, size = Estimate(value=0.02, low=0.01, high=0.03), Size(rows=800, figure=Estimate(value=0.9, low=0.8, high=0.95))
    for helps, words in (("yes", "More rows would help"), ("no", "More rows would hardly help"), ("unclear", "cannot be told")):
        for candidate, of in (("full:a", "it"), ("linear", "linear, measured in its place,")):
            rows = MoreRows(helps=helps, candidate=candidate, sizes=[size], twice=size, gain=gain)
            told = said(outlook=outlook("unclear", None, rows=rows))
            assert f"{words}: with twice as many {of} would gain about 0.020 (0.010 to 0.030)." in told


def test_a_baseline_that_was_not_named_and_does_as_well_is_told_of() -> None:
    metric = PROBLEM.metric
    winner, first = finished(2, "mine", value=0.91), finished(1, "linear", value=0.92)
    words = unnamed_in_words(first, winner, metric)
    assert words.startswith(
        "linear, which was not named, scores better (f1_macro 0.920 on the validation rows, mine 0.910): without --named"
    )
    assert words in said(unnamed=words)
    assert "does as well" in unnamed_in_words(first.model_copy(update={"value": 0.91}), winner, metric)
    assert unnamed_in_words(first.model_copy(update={"value": 0.9}), winner, metric) == ""
    assert unnamed_in_words(first, winner, Metric(name="mae", greater_is_better=False)) == ""
    assert unnamed_in_words(None, winner, metric) == unnamed_in_words(first, first, metric) == ""


def test_a_rival_that_was_stopped_is_told_of_as_that() -> None:
    row = finished(4, "mine", 0.7102, status="stopped", progress=33)
    words = said(GOOD, rivalry=Rivalry(row))
    assert "held against the runner-up mine, stopped at 33 % of its trial: neither its weights" in words
    assert "the runner-up mine, stopped at 33 % of its trial, (0.890)" in said(GOOD, rivalry=Rivalry(row, "test", EVEN))


def test_candidates_of_which_every_trial_failed_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "trials" / "3").mkdir(parents=True)
    (tmp_path / "trials" / "3" / "error.txt").write_text("Traceback")
    lost = {"status": "failed", "reason": "ValueError: boom"}
    rows = [
        finished(1, "linear", 0.9),
        finished(2, "linear", None, **lost),
        finished(3, "mine", None, **lost),
        finished(4, "mine", None, **lost),
    ]
    told = failures(rows, tmp_path / "trials")
    expected = (
        "mine gave no model: all 2 of its trials failed (ValueError: boom); the traceback is in trials/3/error.txt of the run's folder."
    )
    assert told == expected
    assert told in said(GOOD, failed=told)
    many = failures([finished(n, f"c{n}", None, **lost) for n in range(1, 6)], tmp_path / "none")
    assert many.startswith("c1 gave no model: its only trial failed (ValueError: boom). c2 gave")
    assert many.endswith("Nor did c4, c5.")
    assert failures(rows[:2], tmp_path) == ""
