"""How small a vocabulary may get: the smallest that costs little, judged by rows whose words had no say in it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from autoft.data.splits import Splits
from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.model import Trimmed
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.steps.formats import Judged
from autoft.steps.trimming import SHARES, affordable, trim
from autoft_plugins.tasks.text_classification import TextClassification

ROWS, NONE = 100, np.zeros(0, np.int64)
PROBLEM = Problem(
    task="text-classification",
    fields={"text": ("text",), "label": ("label",)},
    inputs=("text",),
    labels=("even", "odd"),
    head=Head(kind="single_label_classification", outputs=2),
    metric=Metric(name="accuracy"),
)


class Reader:
    """Even or odd by the number that a text is, and right; of the texts that a smaller vocabulary does not know, `wrong` by share are
    answered wrongly."""

    def __init__(self, wrong, known=None, share=1.0):
        self.wrong, self.known, self.share = wrong, known, share

    def outputs(self, rows):
        numbers = np.array([int(text) for text in rows["text"]])
        odd = numbers % 2 == 1
        if self.known is not None:
            unknown = np.array([text not in self.known for text in rows["text"]])
            odd ^= unknown & (numbers % ROWS < self.wrong.get(self.share, 0))
        return {"logits": np.stack([~odd, odd], axis=1).astype(np.float32)}

    def trimmed(self, rows, share):
        return Trimmed(Reader(self.wrong, set(rows["text"]), share), 10 + round(80 * share), 100)

    def extra(self):
        return {}


def data():
    """`ROWS` rows to learn from and as many to judge by, with other texts."""
    texts = [str(number) for number in range(2 * ROWS)]
    splits = Splits(np.arange(ROWS), np.arange(ROWS, 2 * ROWS), NONE)
    return SimpleNamespace(
        problem=PROBLEM,
        task=TextClassification(),
        rows=Table({"text": texts}),
        targets=np.array([int(text) % 2 for text in texts]),
        splits=splits,
        validated=splits.validation,
        learnable=np.arange(len(texts)),
    )


def found(wrong, understood, max_loss=0.5, spent=0.0):
    said = []
    judged = Judged(Reader(wrong), Decoder(), unseen=True, spent=spent)
    return list(affordable(judged, understood, max_loss, said.append)), said


def test_the_smallest_that_costs_little_comes_first():
    some, said = found({0.0: 4, 0.125: 2, 0.25: 1}, data(), max_loss=1.0)
    assert [share for share, _ in some] == [0.25, 0.5, 0.75]
    assert [loss.points for _, loss in some] == pytest.approx([1.0, 0.0, 0.0])
    assert [(loss.rows, loss.held_to) for _, loss in some] == [(2 * ROWS, "answers")] * 3
    assert len(said) == 2
    costs = "a vocabulary of 10 of 100 tokens costs 4.0 points of accuracy (by its own answers with the whole vocabulary, 200 rows)"
    assert costs in said[0]
    assert "at most 1 may be" in said[0]


def test_the_rows_that_judge_have_no_say():
    """All texts are among those that the bundle's vocabulary will be made of; by that one nothing would ever be lost."""
    understood = data()
    assert trim(Reader({0.0: 4}), understood, 0.0).fitted.known == set(understood.rows["text"])
    assert found(dict.fromkeys(SHARES, 4), understood)[0] == []


def test_words_that_recur_cost_nothing():
    """Each of few texts is in every fold."""
    texts = data()
    texts.rows = Table({"text": [str(number % 2) for number in range(2 * ROWS)]})
    assert [loss.points for _, loss in found(dict.fromkeys(SHARES, ROWS), texts)[0]] == [0.0] * len(SHARES)


def test_answers_that_were_wrong_before_are_no_loss_where_they_stay():
    """It is held to what the model answered, not to the labels."""
    understood = data()
    understood.targets = 1 - understood.targets
    some, _ = found({0.0: 3, 0.125: 1}, understood, max_loss=2.0)
    assert [loss.points for _, loss in some] == pytest.approx([1.0, 0.0, 0.0, 0.0])


def test_a_metric_that_should_be_small_is_held_to_the_labels():
    understood = data()
    understood.problem = PROBLEM.model_copy(update={"metric": Metric(name="wrong", greater_is_better=False)})
    understood.task = SimpleNamespace(
        decide=TextClassification().decide, score=lambda _, targets, decided: {"wrong": float(np.mean(targets != decided))}
    )
    understood.targets[50:70] = 1 - understood.targets[50:70]
    some, said = found({0.0: 30, 0.125: 20}, understood, max_loss=20.0)
    assert [(share, loss.held_to) for share, loss in some] == [(share, "labels") for share in (0.25, 0.5, 0.75)]
    assert "(0.1000 to 0.3000 on 200 validation rows)" in said[1]


def test_it_is_judged_by_so_many_rows_at_most(monkeypatch):
    monkeypatch.setattr("autoft.steps.trimming.MOST_ROWS", 50)
    assert {loss.rows for _, loss in found({}, data())[0]} == {50}


def test_none_costs_too_much():
    some, said = found(dict.fromkeys(SHARES, 50), data())
    assert some == []
    assert len(said) == len(SHARES)


def test_a_model_without_a_vocabulary_is_refused():
    plain = SimpleNamespace(outputs=lambda rows: {}, extra=dict)
    with pytest.raises(ExportError, match="no vocabulary that could be trimmed"):
        trim(plain, data(), 0.0)
