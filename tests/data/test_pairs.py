from __future__ import annotations

import json

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Match
from autoft_plugins.tasks.pair_classification import PairClassification
from autoft_plugins.tasks.pair_score import PairScore

CLASSES, SCORES = PairClassification(), PairScore()
PREMISES = [f"a man number {i} is playing the guitar in the park" for i in range(30)]
HYPOTHESES = [f"somebody makes music, said number {i}" for i in range(30)]
WORDS = ["entailment", "neutral", "contradiction"] * 10
NUMBERS = [round(1 + 0.13 * i, 2) for i in range(30)]


def table(label, one=PREMISES, other=HYPOTHESES) -> Table:
    return Table({"premise": one, "hypothesis": other, "gold": label}, "nli.csv")


def learned(task, data: Table, metric: str | None = None) -> Problem:
    columns = {"text": ("premise",), "text_pair": ("hypothesis",), "label": ("gold",)}
    return task.problem(data, Match(1.0, columns, "by hand"), metric=metric, seed=5)


def refusal(task, data: Table) -> DataError:
    with pytest.raises(DataError) as caught:
        learned(task, data)
    assert caught.value.exit_code == 2
    assert "nli.csv" in caught.value.message
    assert caught.value.hint
    return caught.value


def test_the_problem_of_classes():
    data = table(WORDS)
    problem = learned(CLASSES, data)
    assert (problem.task, problem.inputs) == ("pair-classification", ("text", "text_pair"))
    assert problem.fields == {"text": ("premise",), "text_pair": ("hypothesis",), "label": ("gold",)}
    assert problem.labels == ("contradiction", "entailment", "neutral")
    assert (problem.head.kind, problem.head.outputs) == ("single_label_classification", 3)
    assert (problem.metric.name, problem.metric.greater_is_better) == ("f1_macro", True)
    assert (problem.language, problem.seed, problem.extra["class_counts"]) == ("en", 5, [10, 10, 10])
    assert Problem.model_validate_json(problem.model_dump_json()) == problem
    assert CLASSES.targets(problem, data).tolist() == [1, 2, 0] * 10
    assert learned(CLASSES, data, "accuracy").metric.name == "accuracy"


def test_the_problem_of_scores():
    data = table(NUMBERS)
    problem = learned(SCORES, data)
    assert (problem.task, problem.inputs, problem.labels) == ("pair-score", ("text", "text_pair"), ())
    assert (problem.head.kind, problem.head.outputs) == ("regression", 1)
    assert (problem.metric.name, problem.metric.greater_is_better) == ("spearman", True)
    assert SCORES.targets(problem, data) == pytest.approx(NUMBERS)
    assert Problem.model_validate_json(problem.model_dump_json()) == problem
    assert set(SCORES.score(problem, np.array([1.0, 2.0]), np.array([1.5, 2.0]))) == {"spearman", "mae", "r2"}
    with pytest.raises(SettingsError, match="spearman, mae, r2"):
        learned(SCORES, data, "f1_macro")


def test_both_texts_of_a_row_count_towards_its_length():
    half = ["word " * 30] * 30
    assert learned(CLASSES, table(WORDS, half, ["yes"] * 30)).max_length == 64
    assert learned(CLASSES, table(WORDS, half, half)).max_length == 128


@pytest.mark.parametrize(("task", "labels"), [(CLASSES, WORDS), (SCORES, NUMBERS)])
@pytest.mark.parametrize("nothing", ["", "   ", None])
def test_a_side_that_is_empty_is_refused_with_its_row_and_column(task, labels, nothing):
    error = refusal(task, table(labels, other=[*HYPOTHESES[:6], nothing, *HYPOTHESES[7:]]))
    assert error.message.startswith("nli.csv, row 7, column 'hypothesis'")
    error = refusal(task, table(labels, one=[*PREMISES[:29], nothing]))
    assert error.message.startswith("nli.csv, row 30, column 'premise'")


def test_rows_without_label_or_without_both_texts_are_left_out():
    data = table([None, *WORDS[1:]], [*PREMISES[:5], "", *PREMISES[6:]], [*HYPOTHESES[:5], None, *HYPOTHESES[6:]])
    problem = learned(CLASSES, data)
    usable = CLASSES.usable(problem, data)
    assert np.flatnonzero(~usable).tolist() == [0, 5]
    rows = CLASSES.inputs(problem, data.take(np.flatnonzero(usable)))
    assert rows.names == ("text", "text_pair")
    assert len(rows) == len(CLASSES.targets(problem, data.take(np.flatnonzero(usable)))) == 28
    unlabelled = table([None, *WORDS[1:]], other=["", *HYPOTHESES[1:]])
    assert learned(CLASSES, unlabelled).labels == problem.labels


def test_an_empty_side_of_a_further_file():
    problem = learned(CLASSES, table(WORDS))
    read = Table({"premise": ["", "a", "b"], "hypothesis": ["", "c", " "], "gold": ["neutral"] * 3}, "test.csv")
    with pytest.raises(DataError, match=r"test.csv, row 3, column 'hypothesis': this side of the pair is empty"):
        CLASSES.inputs(problem, read.take(np.flatnonzero(CLASSES.usable(problem, read))))


def test_a_column_that_is_empty_or_absent():
    assert "text_pair column 'hypothesis' is empty in all 30 rows" in refusal(CLASSES, table(WORDS, other=[None] * 30)).message
    error = refusal(CLASSES, Table({"premise": PREMISES, "hypotheses": HYPOTHESES, "gold": WORDS}, "nli.csv"))
    assert "no column 'hypothesis' (text_pair)" in error.message
    assert "'hypotheses'" in (error.hint or "")
    problem = learned(CLASSES, table(WORDS))
    by_role = CLASSES.inputs(problem, Table({"text": ["a\0"], "text_pair": [3]}))
    assert dict(by_role.columns) == {"text": ["a "], "text_pair": ["3"]}


def test_requests_are_checked():
    problem = learned(CLASSES, table(WORDS))
    rows = CLASSES.check_inputs(problem, [{"text": "a\0", "text_pair": "\udc00"}, {"text": "c", "text_pair": "d", "more": 1}])
    assert dict(rows.columns) == {"text": ["a ", "c"], "text_pair": ["\ufffd", "d"]}
    assert len(CLASSES.check_inputs(problem, [])) == 0
    fine = {"text": "a", "text_pair": "b"}
    for record, said in [
        ({"text": "a"}, "'text_pair' is missing"),
        ({"text_pair": "a"}, "'text' is missing"),
        ({"text": "a", "text_pair": ""}, "'text_pair' is empty"),
        ({"text": " \n", "text_pair": "b"}, "'text' is empty"),
        ({"text": "a", "text_pair": None}, "None"),
        ({"text": 5, "text_pair": "b"}, "int 5"),
        (["a", "b"], "not an object"),
    ]:
        with pytest.raises(DataError) as caught:
            CLASSES.check_inputs(problem, [fine, record])
        assert caught.value.message.startswith("row 2")
        assert said in caught.value.message
        assert "text_pair" in (caught.value.hint or "")


def test_answers():
    problem = learned(CLASSES, table(WORDS))
    outputs = {"logits": np.log(np.array([[0.2, 0.5, 0.3]], np.float32))}
    pair = Table({"text": ["a"], "text_pair": ["b"]})
    (answer,) = CLASSES.decode(problem, Decoder(), outputs, pair)
    assert answer["label"] == "entailment"
    assert answer["scores"] == pytest.approx({"contradiction": 0.2, "entailment": 0.5, "neutral": 0.3})
    assert json.loads(json.dumps(answer)) == answer
    problem = learned(SCORES, table(NUMBERS))
    answers = SCORES.decode(problem, Decoder(), {"logits": np.array([[4.5], [0.1]], np.float32)}, pair)
    assert answers == [{"score": 4.5}, {"score": pytest.approx(0.1)}]
    assert json.loads(json.dumps(answers)) == answers
