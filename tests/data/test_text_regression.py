from __future__ import annotations

import json
import time

import numpy as np
import pytest

from autoft.data.splits import split
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Match
from autoft_plugins.tasks.metrics import mean_absolute_error, r2, spearman
from autoft_plugins.tasks.text_regression import TextRegression

TASK = TextRegression()
REVIEWS = [f"the film number {i} was worth the money for the family" for i in range(40)]
RATINGS = [(i * 7 % 40) / 4 - 3 for i in range(40)]


def table(ratings, reviews=REVIEWS) -> Table:
    return Table({"review": reviews, "rating": ratings}, "films.csv")


def learned(data: Table, metric: str | None = None) -> Problem:
    return TASK.problem(data, Match(1.0, {"text": ("review",), "label": ("rating",)}, "by hand"), metric=metric, seed=1)


def test_the_problem():
    data = table(RATINGS)
    problem = learned(data)
    assert (problem.task, problem.labels, problem.inputs) == ("text-regression", (), ("text",))
    assert (problem.head.kind, problem.head.outputs) == ("regression", 1)
    assert (problem.metric.name, problem.metric.greater_is_better) == ("r2", True)
    assert (learned(data, "mae").metric.name, learned(data, "mae").metric.greater_is_better) == ("mae", False)
    assert learned(data, "spearman").metric.greater_is_better
    assert Problem.model_validate_json(problem.model_dump_json()) == problem
    targets = TASK.targets(problem, data)
    assert targets.dtype == np.float32
    assert targets.tolist() == RATINGS
    assert TASK.targets(problem, Table({"rating": ["1.5", " -2e3 ", 7, True * 1]})).tolist() == [1.5, -2000.0, 7.0, 1.0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "float nan is no number (38 of 39 are)"),
        ("NaN", "'NaN' is no number (38 of 39 are)"),
        (float("inf"), "float inf is no number (38 of 39 are)"),
        (1e39, "float 1e+39 is no number (38 of 39 are)"),
        (10**400, "int 1000000000000000000000000000000000000... is no number (38 of 39 are)"),
        ("good", "'good' is no number (38 of 39 are)"),
        ("1,5", "'1,5' looks like a number, but is written otherwise than -1.25"),
        (True, "bool True is no number (38 of 39 are)"),
        ([1.0], "list [1.0] is no number (38 of 39 are)"),
        ({"stars": 1}, "dict {'stars': 1} is no number (38 of 39 are)"),
    ],
)
def test_a_target_that_is_no_number_is_refused_with_its_row(value, said):
    with pytest.raises(DataError) as caught:
        learned(table([None, *RATINGS[1:8], value, *RATINGS[9:]]))
    assert caught.value.message == f"films.csv, row 9, column 'rating': {said}"
    assert caught.value.exit_code == 2
    assert "--label" in (caught.value.hint or "")


def test_a_decimal_comma():
    data = table([f"{rating:.2f}".replace(".", ",") for rating in RATINGS])
    problem = learned(data)
    assert TASK.targets(problem, data).tolist() == RATINGS
    assert problem.extra["remarks"] == ["numbers like -3,00 are read as -3"]
    assert TASK.targets(problem, Table({"rating": ["-2,5", 3, " 7 "]})).tolist() == [-2.5, 3.0, 7.0]


def test_rows_without_target_or_text_are_left_out():
    data = table([None, "", *RATINGS[2:]], [*REVIEWS[:39], " "])
    problem = learned(data)
    assert np.flatnonzero(~TASK.usable(problem, data)).tolist() == [0, 1, 39]


def test_numbers_that_never_vary():
    with pytest.raises(DataError, match=r"all 40 rows have the number 2\.5"):
        learned(table([2.5] * 40))


def test_too_few_rows():
    with pytest.raises(DataError, match="9 rows have a text and a label, at least 10"):
        learned(table([*RATINGS[:9], *[None] * 31]))


def test_figures_equal_scipy_and_scikit_learn():
    stats, metrics = pytest.importorskip("scipy.stats"), pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    problem = learned(table(RATINGS))
    for rows in (2, 5, 300):
        for ties in (False, True):
            targets = (rng.integers(0, 4, rows) if ties else rng.normal(size=rows)).astype(np.float32) * 3
            targets[0] += 1
            given = (targets + rng.normal(size=rows) * 2).astype(np.float32)
            given = np.round(given) if ties and len(set(np.round(given))) > 1 else given
            wanted = {
                "mae": metrics.mean_absolute_error(targets, given),
                "r2": metrics.r2_score(targets, given),
                "spearman": stats.spearmanr(targets, given).statistic,
            }
            assert TASK.score(problem, targets, given) == pytest.approx(wanted, abs=1e-6)


def test_figures_where_nothing_varies_or_is_no_number():
    flat, rising = np.full(4, 2.0), np.arange(4.0)
    assert spearman(rising, flat) == spearman(flat, rising) == 0.0
    assert (r2(flat, flat), r2(flat, rising)) == (1.0, 0.0)
    assert (mean_absolute_error(flat[:0], flat[:0]), r2(flat[:0], flat[:0]), spearman(flat[:0], flat[:0])) == (0.0, 0.0, 0.0)
    broken = np.array([1.0, np.nan, 2.0, 3.0])
    assert all(np.isnan(figure(rising, broken)) for figure in (mean_absolute_error, r2, spearman))


def test_a_bootstrap_takes_no_time():
    rng = np.random.default_rng(0)
    problem = learned(table(RATINGS))
    targets, given = rng.normal(size=2000).astype(np.float32), rng.normal(size=2000).astype(np.float32)
    started = time.process_time()
    for _ in range(1000):
        rows = rng.integers(0, 2000, 2000)
        TASK.score(problem, targets[rows], given[rows])
    assert time.process_time() - started < 5


def test_the_constant_answer_is_the_mean():
    problem = learned(table(RATINGS))
    targets = np.array([1.0, 2.0, 6.0], np.float32)
    outputs = TASK.constant(problem, targets, 5)
    assert outputs["logits"].shape == (5, 1)
    decided = TASK.decide(problem, Decoder(), TASK.constant(problem, targets, 3))
    assert decided.tolist() == [3.0] * 3
    assert decided.dtype.kind == "f"
    assert TASK.score(problem, targets, decided)["r2"] == pytest.approx(0.0)


def test_every_part_of_a_split_has_low_and_high_numbers():
    problem = learned(table(RATINGS))
    targets = np.random.default_rng(3).exponential(size=500).astype(np.float32)
    strata = TASK.strata(problem, targets)
    assert strata is not None
    assert np.bincount(strata).tolist() == [50] * 10
    assert np.all(np.diff(strata[np.argsort(targets)]) >= 0)
    parts = split(strata, None, 500, 7)
    means = [float(np.median(targets[rows])) for rows in (parts.train, parts.validation, parts.test)]
    assert max(means) - min(means) < 0.1
    few = TASK.strata(problem, np.array([0.0, 0.0, 5.0] * 10, np.float32))
    assert few is not None
    assert few.tolist() == [0] * 30
    ties = TASK.strata(problem, np.array([0.0] * 95 + [1.0] * 5, np.float32))
    assert ties is not None
    assert len(set(ties[:95])) == 1


def test_answers_are_in_the_users_units():
    problem = learned(table(RATINGS))
    outputs = {"logits": np.array([[19.99], [-4.0]], np.float32)}
    decoder = TASK.fit_decoder(problem, outputs, np.array([20.0, -3.0], np.float32))
    answers = TASK.decode(problem, decoder, outputs, Table({"text": ["a", "b"]}))
    assert answers == [{"score": pytest.approx(19.99)}, {"score": -4.0}]
    assert json.loads(json.dumps(answers)) == answers
    assert TASK.decode(problem, decoder, {"logits": np.zeros((0, 1))}, Table({"text": []})) == []
