"""What the report takes from the test rows, by the kind of answers."""

from __future__ import annotations

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.report import Outcome, Tally, class_counts, findings
from autoft_plugins.tasks.token_classification import TokenClassification


def problem(kind: str = "single_label_classification", labels: tuple[str, ...] = ("a", "b"), **more) -> Problem:
    fields = {"task": "any", "fields": {"text": ("text",)}, "inputs": ("text",), "labels": labels}
    return Problem(**{**fields, "head": Head(kind=kind, outputs=max(1, len(labels))), "metric": Metric(name="f1"), **more})


class Shared(TokenClassification):
    """Scores texts by the words they share, in place of tags."""

    def score(self, problem, targets, decisions):
        shared = [len({*a.split()} & {*b.split()}) for a, b in zip(targets, decisions, strict=True)]
        return {"f1": float(np.mean(shared))}


def outcome(problem, targets, decisions, answers, decoder=None, **columns) -> Outcome:
    rows = Table(columns or {"text": [f"text {n}" for n in range(len(answers))]})
    return Outcome(Shared(), problem, decoder or Decoder(), rows, np.asarray(targets), np.asarray(decisions), answers)


def test_the_surest_wrong_classes_come_first() -> None:
    answers = [{"label": "a", "score": score} for score in (0.6, 0.9, 0.7, 0.8)]
    found = findings(outcome(problem(), [1, 1, 1, 0], [0, 0, 0, 0], answers))
    assert found["confusion"].matrix == ((1, 0), (3, 0))
    assert [(m.input, m.score) for m in found["mistakes"]] == [("text 1", 0.9), ("text 2", 0.7), ("text 0", 0.6)]
    many = findings(outcome(problem(), [1] * 50, [0] * 50, [answers[0]] * 50))
    assert len(many["mistakes"]) == 12


def test_a_pair_is_shown_as_two_texts() -> None:
    two = problem(inputs=("text", "text_pair"))
    found = findings(outcome(two, [1], [0], [{"label": "a", "score": 0.9}], text=["one"], text_pair=["other"]))
    assert found["mistakes"][0].input == ("one", "other")


def test_labels_are_tallied_with_their_thresholds() -> None:
    answers = [
        {"labels": ["a"], "scores": {"a": 0.9, "b": 0.2}},
        {"labels": ["a", "b"], "scores": {"a": 0.6, "b": 0.8}},
        {"labels": [], "scores": {"a": 0.1, "b": 0.1}},
    ]
    decoder = Decoder({}, {"cuts": np.array([0.0, np.log(3)])})
    found = findings(outcome(problem("multi_label_classification"), [[1, 0], [0, 1], [0, 1]], [[1, 0], [1, 1], [0, 0]], answers, decoder))
    assert found["tallies"] == (
        Tally(name="a", rows=1, answered=2, right=1, threshold=0.5),
        Tally(name="b", rows=2, answered=1, right=1, threshold=0.75),
    )
    assert [(m.truth, m.answer, m.score) for m in found["mistakes"]] == [("b", "no label", 0.9), ("b", "a, b", 0.6)]


def test_numbers_by_their_distance() -> None:
    targets, said = np.array([1.0, 2.0, 3.0], np.float32), [1.5, -7.0, 3.0]
    found = findings(outcome(problem("regression", ()), targets, said, [{"score": one} for one in said]))
    assert found["points"] == ((1.0, 1.5), (2.0, -7.0), (3.0, 3.0))
    assert [(m.input, m.truth, m.answer) for m in found["mistakes"][:2]] == [("text 1", "2", "-7"), ("text 0", "1", "1.5")]


def test_entities_against_the_tasks_own_decoding_of_the_targets() -> None:
    spans = problem("token_classification", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
    texts, words = ["Ada met Bob", "Rome fell"], [[(0, 3), (4, 7), (8, 11)], [(0, 4), (5, 9)]]
    answers = [
        {"entities": [{"entity_group": "PER", "score": 0.9, "word": "Ada", "start": 0, "end": 3}]},
        {"entities": [{"entity_group": "LOC", "score": 0.8, "word": "fell", "start": 5, "end": 9}]},
    ]
    found = findings(outcome(spans, [[1, 0, 1], [3, 0, -1]], [[1, 0, 0], [0, 3, -1]], answers, text=texts, words=words))
    assert found["tallies"] == (Tally(name="LOC", rows=1, answered=1, right=0), Tally(name="PER", rows=2, answered=1, right=1))
    marked = {row.text: {(s.start, s.end, s.name, s.state) for s in row.spans} for row in found["marked"]}
    assert marked == {
        "Rome fell": {(0, 4, "LOC", "missed"), (5, 9, "LOC", "invented")},
        "Ada met Bob": {(0, 3, "PER", "right"), (8, 11, "PER", "missed")},
    }


def test_only_some_rows_of_the_truth_are_logits_at_once() -> None:
    seen = []

    class Counting(Shared):
        def decode(self, problem, decoder, outputs, inputs):
            seen.append(len(inputs))
            return super().decode(problem, decoder, outputs, inputs)

    spans = problem("token_classification", ("O", "B-PER", "I-PER"))
    rows = Table({"text": ["Bob"] * 150, "words": [[(0, 3)]] * 150})
    targets = np.ones((150, 1), np.int16)
    found = findings(Outcome(Counting(), spans, Decoder(), rows, targets, targets, [{"entities": []}] * 150))
    assert found["tallies"] == (Tally(name="PER", rows=150, answered=0, right=0),)
    assert sum(seen) == 150
    assert max(seen) < 150


def test_a_long_text_is_shown_around_its_first_wrong_entity() -> None:
    spans = problem("token_classification", ("O", "B-PER", "I-PER"))
    text = "x" * 5000 + " Bob " + "y" * 5000
    found = findings(outcome(spans, [[1]], [[0]], [{"entities": []}], text=[text], words=[[(5001, 5004)]]))
    (row,) = found["marked"]
    (span,) = row.spans
    assert row.text[span.start : span.end] == "Bob"
    assert len(row.text) < 700


def test_texts_by_their_own_figure_and_without_those_that_are_right() -> None:
    targets, said = ["a b c", "d", "e f"], ["a b", "x", "e f"]
    found = findings(outcome(problem("seq2seq", ()), targets, said, [{"text": one} for one in said]))
    assert [(m.input, m.truth, m.answer) for m in found["mistakes"]] == [("text 1", "d", "x"), ("text 0", "a b c", "a b")]


def test_other_answers_are_left_alone() -> None:
    assert findings(outcome(problem(), [1], [0], [{"whatever": 1}])) == {}
    assert findings(outcome(problem(labels=()), [1], [0], [{"label": "a", "score": 1.0}])) == {}


@pytest.mark.parametrize(
    ("kind", "targets", "counts"),
    [
        ("single_label_classification", np.array([0, 1, 1]), {"a": 1, "b": 2}),
        ("multi_label_classification", np.array([[0, 1], [1, 1], [0, 0]], np.int8), {"a": 1, "b": 2}),
        ("token_classification", np.array([[0, -1]], np.int16), {}),
        ("regression", np.array([0.5], np.float32), {}),
    ],
)
def test_class_counts(kind: str, targets: np.ndarray, counts: dict[str, int]) -> None:
    assert class_counts(problem(kind), targets) == counts
