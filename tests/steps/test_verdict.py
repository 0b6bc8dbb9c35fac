"""The verdict in words: what few rows, and rows without a fault, cannot show."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoft.interfaces.problem import Head, Metric, Problem
from autoft.steps.judge import Interval, Judgement, faultless, verdict

PROBLEM = Problem(
    task="text-classification",
    fields={},
    inputs=("text",),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="f1_macro"),
)
PERFECT = Judgement(Interval(1.0, 1.0, 1.0), Interval(1.0, 1.0, 1.0), Interval(0.0, 0.0, 0.0))
GOOD = Judgement(Interval(0.9, 0.8, 0.95), Interval(0.7, 0.6, 0.8), Interval(0.2, 0.1, 0.3))


def said(judgement: Judgement, **changes: Any) -> str:
    facts: dict[str, Any] = {"itself": False, "alone": False, "all_right": False, "rows": 200, "folds": 0, "seeds": 0}
    return verdict(judgement, PROBLEM, "full:a", "linear", **{**facts, "refit": True, "refit_rows": 100, **changes})


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
    assert "no candidate did better on the validation rows" in said(GOOD, itself=True)


def test_the_metric_is_explained() -> None:
    problem = PROBLEM.model_copy(update={"metric": Metric(name="r2", meaning="the share explained")})
    facts: dict[str, Any] = {"itself": False, "alone": False, "all_right": False, "rows": 200, "folds": 0, "seeds": 0}
    assert verdict(GOOD, problem, "a", "b", **facts, refit=True, refit_rows=9).endswith("r2 is the share explained.")
    assert " is the" not in said(GOOD).partition("Intervals")[2]


def test_rows_that_are_all_right() -> None:
    tags = np.array([[0, 1, -1], [2, -1, -1]], np.int16)
    assert faultless(tags, tags[:, :2])
    assert not faultless(tags, tags[:, :1])
    assert not faultless(tags, np.array([[0, 1], [0, -1]], np.int16))
    assert faultless(np.array(["a", "b"], object), np.array(["a", "b"], object))
    assert not faultless(np.array([0, 1]), np.array([0, 0]))
