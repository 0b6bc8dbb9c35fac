"""Intervals: rows are compared once where a task can tally them, and the figures stay those of `score`."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Tallied
from autoft.steps.judge import judge
from autoft_plugins.tasks.seq2seq import Seq2Seq
from autoft_plugins.tasks.token_classification import TokenClassification


def problem(kind: str, metric: str) -> Problem:
    return Problem(task="t", fields={}, inputs=("text",), head=Head(kind=kind, outputs=5), metric=Metric(name=metric))


def tags(rows: int, words: int, columns: int, seed: int) -> np.ndarray:
    codes = np.full((rows, columns), -1, np.int16)
    codes[:, :words] = np.random.default_rng(seed).choice([0, 0, 0, 1, 2, 3, 4], (rows, words))
    return codes


def texts(rows: int, seed: int) -> np.ndarray:
    words = np.array([f"word{number}" for number in range(60)])
    return np.array([" ".join(words[row]) for row in np.random.default_rng(seed).integers(0, 60, (rows, 30))])


CASES = {
    "entities": (TokenClassification(), problem("token_classification", "f1"), [tags(80, 12, 15, seed) for seed in range(3)]),
    "texts": (Seq2Seq(), problem("seq2seq", "rouge_l"), [texts(24, seed) for seed in range(3)]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_intervals_are_those_of_scores_of_resampled_rows(case):
    task, asked, (targets, winner, baseline) = CASES[case]
    winner[:10] = targets[:10]
    assert isinstance(task, Tallied)
    plain: Any = SimpleNamespace(score=task.score)
    assert not isinstance(plain, Tallied)
    one, other = (judge(by, asked, targets, winner, baseline, 3).as_json("baseline") for by in (task, plain))
    for name, figures in other.items():
        assert one[name] == pytest.approx(figures), name
    assert list(one) == ["winner", "baseline", "lead"]
    assert one["winner"]["value"] == pytest.approx(task.score(asked, targets, winner)["f1" if case == "entities" else "rouge_l"])


def test_long_rows_and_texts_take_moments():
    started = time.process_time()
    codes = [tags(3000, 40, 1000, seed) for seed in range(2)]
    judge(TokenClassification(), problem("token_classification", "f1"), codes[0], codes[1], codes[0], 0)
    written = [texts(2000, seed) for seed in range(2)]
    judge(Seq2Seq(), problem("seq2seq", "rouge_l"), written[0], written[1], written[0], 0)
    assert time.process_time() - started < 4
