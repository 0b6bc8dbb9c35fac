from __future__ import annotations

import json

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Calibrates, Decoder, Match, Task
from autoft_plugins.tasks import TASKS
from autoft_plugins.tasks.classes import class_name
from autoft_plugins.tasks.metrics import accuracy, decisions, f1_macro
from autoft_plugins.tasks.text_classification import TextClassification

TASK = TextClassification()
SENTENCES = [f"the {thing} was {how} and number {i} of many" for i, (thing, how) in enumerate([("book", "good"), ("film", "bad")] * 10)]
POLES = ["pos", "neg"] * 10


def table(**columns) -> Table:
    return Table(columns, "reviews.csv")


def learned(data: Table, metric: str | None = None, **given: str) -> Problem:
    match = TASK.match(data, {role: (name,) for role, name in given.items()})
    assert match is not None
    return TASK.problem(data, match, metric=metric, seed=3)


def refusal(data: Table, **given: str) -> DataError:
    with pytest.raises(DataError) as caught:
        learned(data, **given)
    assert caught.value.exit_code == 2
    assert "reviews.csv" in caught.value.message
    assert caught.value.hint
    return caught.value


def test_registered():
    assert {"text-classification", "multi-label", "pair-classification", "pair-score", "text-regression"} <= {task.name for task in TASKS}
    assert all(isinstance(task, Task) for task in TASKS)


ROW_NUMBERS = list(range(20))
DATES = [f"2024-05-{i + 1:02d}" for i in range(20)]


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"text": SENTENCES, "label": POLES}, "text", "label"),
        ({"sentence": SENTENCES, "sentiment": POLES}, "sentence", "sentiment"),
        ({"question": SENTENCES, "kind": POLES}, "question", "kind"),
        ({"review": SENTENCES, "label": POLES}, "review", "label"),
        ({"label": POLES, "Review Text": SENTENCES}, "Review Text", "label"),
        ({"foo": SENTENCES, "bar": POLES}, "foo", "bar"),
        ({"col0": POLES, "col1": SENTENCES}, "col1", "col0"),
        ({"id": ROW_NUMBERS, "date": DATES, "body": SENTENCES, "stars": [1, 2, 3, 4, 5] * 4}, "body", "stars"),
        ({"column_1": ROW_NUMBERS, "foo": SENTENCES, "bar": POLES}, "foo", "bar"),
        ({"user_id": [1, 2, 3, 4] * 5, "foo": SENTENCES, "bar": POLES}, "foo", "bar"),
        ({"split": ["train", "test"] * 10, "text": SENTENCES, "intent": POLES}, "text", "intent"),
        ({"lang": ["en"] * 20, "text": SENTENCES, "outcome": POLES}, "text", "outcome"),
        ({"source": ["web"] * 20, "const": ["x"] * 20, "text": SENTENCES, "outcome": POLES}, "text", "outcome"),
        ({"text": SENTENCES, "label": [1, 0] * 10, "label_text": POLES}, "text", "label_text"),
        ({"text": SENTENCES, "label": POLES, "stars": [1, 2, 3, 4, 5] * 4}, "text", "label"),
        ({"title": [f"title {i}" for i in range(20)], "text": SENTENCES, "label": POLES}, "text", "label"),
        ({"a": [f"x {i}" for i in range(20)], "b": SENTENCES, "c": POLES}, "b", "c"),
        ({"text": ["ok", "no"] * 10, "label": POLES}, "text", "label"),
        ({"surname": [f"Na{chr(97 + i)}me" for i in range(20)], "country": POLES}, "surname", "country"),
        ({"文本": SENTENCES, "标签": POLES}, "文本", "标签"),
        ({"text": SENTENCES, "spam": [True, False] * 10}, "text", "spam"),
        ({"text": SENTENCES, "score": [0.0, 0.5, 1.0, 0.5] * 5}, "text", "score"),
    ],
)
def test_columns_are_found(columns, text, label):
    match = TASK.match(table(**columns), {})
    assert match is not None
    assert match.columns == {"text": (text,), "label": (label,)}
    assert repr(text) in match.reason
    assert repr(label) in match.reason
    assert "\n" not in match.reason
    assert 0 < match.score <= 1


def test_names_are_surer_than_content():
    named, plain = TASK.match(table(text=SENTENCES, label=POLES), {}), TASK.match(table(foo=SENTENCES, bar=POLES), {})
    assert named is not None
    assert plain is not None
    assert named.score > plain.score


def test_given_columns_override():
    data = table(text=SENTENCES, label=POLES, review=SENTENCES[::-1], stars=[1, 2, 3, 4, 5] * 4)
    match = TASK.match(data, {"text": ("review",), "label": ("stars",)})
    assert match is not None
    assert match.columns == {"text": ("review",), "label": ("stars",)}
    match = TASK.match(table(a=SENTENCES, topic=POLES, sentiment=[1, 2, 3, 4] * 5), {"label": ("sentiment",)})
    assert match is not None
    assert match.columns["text"] == ("a",)


def test_an_absent_column_offers_the_nearest():
    error = refusal(table(text=SENTENCES, sentiment=POLES), label="sentimant")
    assert "'sentimant'" in error.message
    assert "'text', 'sentiment'" in error.message
    assert error.hint == "did you mean --label sentiment?"
    assert "'zzz'" in refusal(table(text=SENTENCES, sentiment=POLES), text="zzz").message


def test_two_possible_labels_are_refused_with_the_flag():
    for names in (("sentiment", "topic"), ("label1", "label2"), ("foo", "bar")):
        error = refusal(table(**{"text": SENTENCES, names[0]: POLES, names[1]: ["x", "x", "y", "y"] * 5}))
        assert f"'{names[0]}' and '{names[1]}' could both be the label" in error.message
        assert error.hint == f"say which: autoft run reviews.csv --label {names[0]}"


def test_two_possible_texts_are_refused_with_the_flag():
    error = refusal(table(sentence_a=SENTENCES, sentence_b=SENTENCES[::-1], label=POLES))
    assert "'sentence_a' and 'sentence_b' could both be the text" in error.message
    assert "--text sentence_a" in (error.hint or "")


def test_one_column_for_both_roles():
    assert "both" in refusal(table(text=SENTENCES, label=POLES), text="text", label="text").message


def test_a_table_with_texts_and_no_label():
    error = refusal(table(text=SENTENCES, id=ROW_NUMBERS))
    assert "no column looks like a label" in error.message
    assert "--label" in (error.hint or "")


@pytest.mark.parametrize(
    "columns",
    [
        {"width": [i * 0.7 for i in range(20)], "height": [i * 1.3 for i in range(20)], "label": [0, 1] * 10},
        {"tokens": [["a", "b"]] * 20, "ner_tags": [["O", "O"]] * 20},
        {"text": SENTENCES, "score": [i * 0.37 for i in range(20)]},
        {"text": SENTENCES, "labels": [["a"], ["a", "b"]] * 10},
    ],
)
def test_tables_of_another_kind(columns):
    assert TASK.match(table(**columns), {}) is None


def test_roles_of_another_task():
    assert TASK.match(table(text=SENTENCES, label=POLES), {"tokens": ("text",)}) is None


def test_the_problem():
    problem = learned(table(review=SENTENCES, stars=[5, 1] * 10))
    assert problem.task == "text-classification"
    assert problem.fields == {"text": ("review",), "label": ("stars",)}
    assert problem.inputs == ("text",)
    assert problem.labels == ("1", "5")
    assert (problem.head.kind, problem.head.outputs) == ("single_label_classification", 2)
    assert problem.metric.name == "f1_macro"
    assert (problem.max_length, problem.language, problem.seed) == (64, "en", 3)
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 9, -1, 2] * 5, ("-1", "2", "9", "10")),
        ([1.0, 0.0] * 10, ("0", "1")),
        ([0.5, 2.0] * 10, ("0.5", "2")),
        ([True, False] * 10, ("False", "True")),
        ([" pos", "neg "] * 10, ("neg", "pos")),
        ([1, "one"] * 10, ("1", "one")),
    ],
)
def test_class_names(labels, names):
    data = table(text=SENTENCES, label=labels)
    problem = learned(data, label="label")
    assert problem.labels == names
    assert [problem.labels[code] for code in TASK.targets(problem, data)] == [class_name(label) for label in labels]


def test_many_classes():
    data = table(query=[f"{SENTENCES[i % 20]} again {i}" for i in range(1500)], intent=[f"intent {i % 150}" for i in range(1500)])
    problem = learned(data)
    assert problem.head.outputs == 150
    targets = TASK.targets(problem, data)
    strata = TASK.strata(problem, targets)
    assert strata is not None
    assert np.bincount(strata).tolist() == [10] * 150


def test_metrics_by_name():
    data = table(text=SENTENCES, label=POLES)
    assert learned(data, "accuracy").metric.name == "accuracy"
    with pytest.raises(SettingsError, match="f1_macro, accuracy") as caught:
        learned(data, "acuracy")
    assert caught.value.hint == "did you mean --metric accuracy?"


def test_text_all_empty():
    for columns in ({"text": [None] * 20, "label": POLES}, {"foo": ["", "  "] * 10, "bar": POLES}):
        assert "empty in all 20 rows" in refusal(table(**columns)).message
    assert "empty in all 20 rows" in refusal(table(a=SENTENCES, b=[""] * 20, label=POLES), text="b").message


def test_label_all_empty():
    assert "empty in all 20 rows" in refusal(table(text=SENTENCES, label=[None] * 20), label="label").message


def test_one_class():
    error = refusal(table(text=SENTENCES, label=["pos"] * 20))
    assert "one class, 'pos'" in error.message


def test_a_class_with_one_row():
    error = refusal(table(text=SENTENCES, label=[*POLES[:19], "meh"]))
    assert "the class 'meh' has one row" in error.message


def test_a_label_that_names_rows():
    assert "hardly a class" in refusal(table(text=SENTENCES, label=[f"kind {i}" for i in range(20)])).message


def test_five_rows():
    error = refusal(table(text=SENTENCES[:5], label=POLES[:5]))
    assert "5 rows" in error.message
    assert "at least 10" in error.message


def test_too_few_rows_are_usable():
    assert "6 rows have" in refusal(table(text=SENTENCES, label=POLES[:6] + [None] * 14)).message


def test_a_label_of_lists():
    match = Match(1.0, {"text": ("text",), "label": ("tags",)}, "by hand")
    with pytest.raises(DataError, match=r"reviews.csv, row 1, column 'tags': list") as caught:
        TASK.problem(table(text=SENTENCES, tags=[["a"], ["b"]] * 10), match, metric=None, seed=0)
    assert "--task multi-label" in (caught.value.hint or "")


def test_rows_that_cannot_be_learned_from():
    data = table(text=[*SENTENCES[:17], None, "  ", "left over"], label=["", None, *POLES[2:]])
    problem = learned(data)
    usable = TASK.usable(problem, data)
    assert usable.dtype == np.bool_
    assert np.flatnonzero(~usable).tolist() == [0, 1, 17, 18]
    assert len(TASK.targets(problem, data.take(np.flatnonzero(usable)))) == 16
    with pytest.raises(DataError, match="row 1, column 'label': the label is missing"):
        TASK.targets(problem, data)


def test_a_class_that_only_unusable_rows_have_is_none():
    data = table(text=[*SENTENCES[:18], None, None], label=[*POLES[:18], "odd", "odd"])
    assert learned(data).labels == ("neg", "pos")


def test_an_unknown_class_names_the_row_and_the_nearest():
    problem = learned(table(text=SENTENCES, label=["positive", "negative"] * 10))
    with pytest.raises(DataError, match="row 2, column 'label': 'Positive' is none of the classes") as caught:
        TASK.targets(problem, Table({"text": ["a", "b"], "label": ["negative", "Positive"]}, "test.csv"))
    assert caught.value.hint == "did you mean 'positive'?"


def test_the_row_named_is_that_of_the_file_whatever_was_left_out_before():
    problem = learned(table(text=SENTENCES, label=POLES))
    read = Table({"text": ["", "fine", "b", "c"], "label": ["pos", None, "neg", "odd"]}, "test.csv")
    with pytest.raises(DataError, match=r"test.csv, row 4, column 'label': 'odd'"):
        TASK.targets(problem, read.take(np.flatnonzero(TASK.usable(problem, read))))
    with pytest.raises(DataError, match=r"reviews.csv, row 19, column 'label': list"):
        learned(table(text=["", *SENTENCES[1:]], label=[*POLES[:18], ["pos"], "neg"]), label="label")


def test_inputs_are_cleaned():
    problem = learned(table(review=SENTENCES, label=POLES))
    rows = TASK.inputs(problem, Table({"review": ["a\0b", "\ud800x", "\ud83d\ude00", None, 7, "é"]}))
    assert dict(rows.columns) == {"text": ["a b", "\ufffdx", "😀", "", "7", "é"]}
    assert list(TASK.inputs(problem, Table({"text": ["by role"]}))["text"]) == ["by role"]
    with pytest.raises(DataError, match="row 1, column 'review': list"):
        TASK.inputs(problem, Table({"review": [["a"]]}))
    with pytest.raises(DataError, match="no column 'review'") as caught:
        TASK.inputs(problem, Table({"reviews": ["a"]}, "new.csv"))
    assert "'reviews'" in (caught.value.hint or "")


def test_requests_are_checked():
    problem = learned(table(review=SENTENCES, label=POLES))
    rows = TASK.check_inputs(problem, [{"text": "a\0"}, {"text": "\udc00", "extra": 1}, {"text": ""}])
    assert list(rows["text"]) == ["a ", "\ufffd", ""]
    assert len(TASK.check_inputs(problem, [])) == 0
    for record, said in [
        ({}, "'text' is missing"),
        ({"txt": "a"}, "'txt'"),
        ({"text": 5}, "int 5"),
        ({"text": None}, "None"),
        ("a", "not an object"),
    ]:
        with pytest.raises(DataError) as caught:
            TASK.check_inputs(problem, [{"text": "fine"}, record])
        assert caught.value.message.startswith("row 2")
        assert said in caught.value.message


def test_the_constant_answer():
    problem = learned(table(text=SENTENCES, label=POLES))
    outputs = TASK.constant(problem, np.array([0, 0, 0, 1]), 3)
    assert outputs["logits"].shape == (3, 2)
    assert np.allclose(np.exp(outputs["logits"]), [[0.75, 0.25]] * 3)
    assert TASK.decide(problem, Decoder(), outputs).tolist() == [0, 0, 0]
    assert np.isfinite(TASK.constant(problem, np.array([0, 0]), 1)["logits"]).all()


def test_answers():
    problem = learned(table(text=SENTENCES, label=POLES))
    outputs = {"logits": np.array([[0.0, np.log(3)], [1000.0, 0.0]], np.float32)}
    decoder = TASK.fit_decoder(problem, outputs, np.array([0, 1]))
    assert decoder == Decoder({"function": "softmax"})
    answers = TASK.decode(problem, decoder, outputs, Table({"text": ["a", "b"]}))
    assert answers[0]["label"] == "pos"
    assert answers[0]["scores"] == pytest.approx({"neg": 0.25, "pos": 0.75})
    assert answers[0]["score"] == answers[0]["scores"]["pos"]
    assert answers[1] == {"label": "neg", "score": 1.0, "scores": {"neg": 1.0, "pos": 0.0}}
    assert json.loads(json.dumps(answers)) == answers
    assert TASK.decode(problem, decoder, {"logits": np.zeros((0, 2))}, Table({"text": []})) == []


def test_a_folded_temperature_is_recorded_and_never_applied():
    problem = learned(table(text=SENTENCES, label=POLES))
    outputs, rows = {"logits": np.array([[0.0, 2.0], [1.0, 0.5]], np.float32)}, Table({"text": ["a", "b"]})
    plain = TASK.fit_decoder(problem, outputs, np.array([0, 1]))
    record = Decoder({**plain.config, "calibration": {"method": "temperature", "temperature": 3.0, "folded": True}})
    assert isinstance(TASK, Calibrates)
    assert TASK.rescaled(record, np.full(2, 0.3), np.zeros(2)) == record
    assert TASK.decode(problem, record, outputs, rows) == TASK.decode(problem, plain, outputs, rows)
    assert TASK.decide(problem, record, outputs).tolist() == TASK.decide(problem, plain, outputs).tolist()


def test_scores_equal_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    problem = learned(table(text=SENTENCES, label=["a", "b", "c", "d"] * 5))
    for rows, classes in ((1, 4), (7, 4), (200, 4), (900, 300)):
        problem = problem.model_copy(update={"head": problem.head.model_copy(update={"outputs": classes})})
        targets, logits = rng.integers(0, classes - 1, rows), rng.normal(size=(rows, classes))
        found = TASK.score(problem, targets, TASK.decide(problem, Decoder(), {"logits": logits}))
        predicted = logits.argmax(1)
        wanted = metrics.f1_score(targets, predicted, labels=range(classes), average="macro", zero_division=0)
        assert found == pytest.approx({"accuracy": metrics.accuracy_score(targets, predicted), "f1_macro": wanted})


def test_outputs_that_are_no_numbers_are_wrong():
    logits = np.array([[np.nan, 1.0], [0.0, 1.0]])
    assert decisions(logits).tolist() == [-1, 1]
    assert accuracy(np.array([1, 1]), decisions(logits)) == 0.5
    assert f1_macro(np.array([0, 1]), decisions(logits), 2) == 0.5
    assert accuracy(np.zeros(0, int), decisions(np.zeros((0, 2)))) == 0.0
