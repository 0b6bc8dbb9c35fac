from __future__ import annotations

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError, SettingsError
from autoft.interfaces.task import Decoder, Match, Task
from autoft_plugins.encoders.text_to_text import TextToTextEncoder
from autoft_plugins.tasks import TASKS
from autoft_plugins.tasks.rouge import rouge_l, same_text
from autoft_plugins.tasks.seq2seq import Seq2Seq

MATCH = Match(1.0, {"text": ("long",), "label": ("short",)}, "")
TABLE = Table(
    {
        "long": [f"the meeting number {number} was long and about money" for number in range(12)],
        "short": [f"meeting {number}" for number in range(11)] + ["meeting 3"],
    },
    "notes.csv",
)


def made(table=TABLE, metric=None):
    task = Seq2Seq()
    return task, task.problem(table, MATCH, metric=metric, seed=0)


def test_it_is_registered():
    assert isinstance(next(task for task in TASKS if task.name == "seq2seq"), Task)


def test_the_problem():
    _, problem = made()
    assert problem.head.kind == "seq2seq"
    assert problem.labels == ()
    assert problem.metric.name == "rouge_l"
    assert problem.metric.greater_is_better
    assert problem.extra["target_length"] == 64
    assert 2 < problem.extra["target_tokens"] < 10
    assert problem.extra["validation_rows"] == 200
    assert made(metric="exact_match")[1].metric.name == "exact_match"
    with pytest.raises(SettingsError, match="rouge_l"):
        made(metric="rouge")
    assert type(problem).model_validate_json(problem.model_dump_json()) == problem


def test_targets_are_clean_texts_and_numbers_are_written_out():
    task, problem = made()
    table = Table({"long": ["a"] * 3, "short": [7, "x\0y", "last"]}, "notes.csv")
    targets = task.targets(problem, table)
    assert targets.dtype == object
    assert targets.tolist() == ["7", "x y", "last"]
    assert task.strata(problem, targets) is None
    with pytest.raises(DataError, match=r"notes\.csv, row 2, column 'short': list \['b'\]"):
        task.targets(problem, Table({"long": ["a"] * 2, "short": ["a", ["b"]]}, "notes.csv"))


def test_one_long_target_does_not_make_all_of_them_large():
    task, problem = made()
    table = Table({"long": ["a"] * 1000, "short": ["b"] * 999 + ["c" * 20_000]}, "notes.csv")
    targets = task.targets(problem, table)
    assert targets.nbytes < 10_000
    assert targets[[999, 0]].tolist() == ["c" * 20_000, "b"]
    assert task.constant(problem, targets[999:], 1000)["text"].nbytes < 10_000


def test_rows_without_a_side_cannot_be_learned_from():
    task, problem = made()
    table = Table({"long": ["a", "", "c", None], "short": ["a", "b", " ", "d"]}, "notes.csv")
    assert task.usable(problem, table).tolist() == [True, False, False, False]


def test_one_target_for_all_is_refused():
    table = Table({"long": TABLE["long"], "short": ["the same"] * 12}, "notes.csv")
    with pytest.raises(DataError, match="all 12 rows have the same text") as caught:
        made(table)
    assert "--label" in caught.value.hint


def test_the_constant_is_the_most_frequent_target():
    task, problem = made()
    targets = task.targets(problem, TABLE)
    assert task.decide(problem, Decoder(), task.constant(problem, targets, 2)).tolist() == ["meeting 3"] * 2
    assert task.constant(problem, targets[:0], 1)["text"].tolist() == [""]


def test_answers_and_requests():
    task, problem = made()
    outputs = {"text": np.array(["one", ""]), "sequences": np.ones((2, 3), np.int64)}
    rows = task.check_inputs(problem, [{"text": "a"}, {"text": "b"}])
    assert task.decode(problem, Decoder(), outputs, rows) == [{"text": "one"}, {"text": ""}]
    with pytest.raises(DataError, match="row 2"):
        task.check_inputs(problem, [{"text": "a"}, {"txt": "b"}])


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("police killed the gunman", "police kill the gunman", 0.75),  # Lin (2004), section 3.1: 3 of 4 words
        ("police killed the gunman", "the gunman kill police", 0.5),
        ("a b c d", "a c", 2 * 2 / 6),
        ("a b a b", "b a b a", 0.75),
        ("The Cat!", "the cat", 1.0),
        ("北京大学", "北京的大学", 2 * 4 / 9),
        ("abc北京", "abc 北京", 1.0),
        ("a", "", 0.0),
        ("", "", 1.0),
        ("?", "!", 0.0),
        ("x_y 3.5", "x y 3 5", 1.0),
    ],
)
def test_rouge_l(target, text, value):
    assert rouge_l(target, text) == pytest.approx(value)
    assert rouge_l(text, target) == pytest.approx(value)


def test_rouge_l_is_that_of_the_plain_table():
    generator = np.random.default_rng(0)
    for _ in range(50):
        one, other = (list(map(str, generator.integers(0, 6, generator.integers(1, 90)))) for _ in range(2))
        table = np.zeros((len(one) + 1, len(other) + 1), int)
        for i, word in enumerate(one):
            for j, second in enumerate(other):
                table[i + 1, j + 1] = table[i, j] + 1 if word == second else max(table[i, j + 1], table[i + 1, j])
        assert rouge_l(" ".join(one), " ".join(other)) == pytest.approx(2 * table[-1, -1] / (len(one) + len(other)))


def test_white_space_does_not_make_a_text_another():
    assert same_text("a  b\n", "a b")
    assert not same_text("a b", "A b")


def test_generated_ids_become_texts(tiny_source):
    folder = tiny_source("t5").folder
    config = {"max_length": 8, "inputs": ["input_ids"], "pad_id": 0, "pad_type_id": 0, "unknown_id": 2, "fields": ["text"], "end_ids": [1]}
    encoding = TextToTextEncoder().open(folder, config)
    encoded = encoding.encode(Table({"text": ["good phone", "bad"]}), pad_to=5)
    assert encoded.arrays["input_ids"].shape == (2, 5)
    ids = encoded.arrays["input_ids"][0, :2].tolist()
    sequences = np.array([[*ids, 1, 0, 0], [*ids, ids[0], ids[0], ids[0]], [1, 5, 5, 5, 5], [0, 999, ids[0], 1, ids[1]]])
    outputs = encoded.by_row({"sequences": sequences, "scores": np.zeros((4, 5))})
    assert outputs["text"].tolist() == ["good phone", "good phone good good good", "", "good"]
    assert set(outputs) == {"text", "sequences", "scores"}
    assert encoding.collect({"sequences": np.zeros((0, 0), np.int64)})["text"].shape == (0,)
