"""The proof decides rows as they will be served, encodes them once, and keeps no more of their outputs than it needs."""

from __future__ import annotations

import weakref

import numpy as np

from autoft.data.table import Table
from autoft.interfaces.encoder import Encoded
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.proof import prove
from autoft_plugins.tasks.multi_label import MultiLabel
from autoft_plugins.tasks.token_classification import TokenClassification

CUT = 3.0
LABELS = Problem(
    task="multi-label",
    fields={},
    inputs=("text",),
    labels=("a", "b"),
    head=Head(kind="multi_label_classification", outputs=2),
    metric=Metric(name="f1_macro"),
)


class Lengths:
    """An encoder of nothing but the number of characters, and a model whose answer that is."""

    max_length = None
    inputs = ()

    def __init__(self, shape: tuple[int, ...], off: float = 0.0) -> None:
        self._shape, self._off = shape, off
        self.encoded, self.alive, self.most = 0, weakref.WeakSet(), 0

    def encode(self, rows, *, pad_to=None, offsets=False):
        self.encoded += len(rows)
        lengths = np.array([len(text) for text in rows["text"]], np.int64)
        return Encoded({"x": lengths}, lengths, np.zeros(len(rows), np.bool_))

    def resized(self, rows, length):
        return rows

    def outputs(self, rows):
        outputs = _Array.of(np.array([len(text) for text in rows["text"]]), self._shape)
        self.alive.add(outputs)
        self.most = max(self.most, len(self.alive))
        return {"logits": outputs}

    def extra(self):
        return {}

    def run(self, arrays):
        return {"logits": _Array.of(arrays["x"], self._shape) - np.float32(self._off)}


class _Array(np.ndarray):
    """Arrays compare by their values; a set of them needs another way to tell them apart."""

    __hash__ = object.__hash__

    @classmethod
    def of(cls, numbers, shape):
        plain = np.broadcast_to(numbers.reshape(-1, *(1 for _ in shape)), (len(numbers), *shape))
        return plain.astype(np.float32).view(cls)


def texts(count: int = 100) -> Table:
    return Table({"text": ["x" * (1 + number % 5) for number in range(count)]})


def test_rows_are_decided_with_the_decoder_that_is_served():
    model = Lengths((2,), off=5e-5)
    served = Decoder({}, {"cuts": np.array([CUT, CUT])})
    proof = prove(model, model, model, MultiLabel(), LABELS, texts(), decoder=served)
    assert proof.max_difference < proof.tolerance
    assert proof.changed_labels == 20
    assert not proof.passed
    assert prove(model, model, model, MultiLabel(), LABELS, texts()).passed  # at 0 none of them changes


def test_each_row_is_encoded_once_for_its_answer():
    model = Lengths((2,))
    few = prove(model, model, model, MultiLabel(), LABELS, texts(1))
    asked = model.encoded - 1
    model.encoded = 0
    assert prove(model, model, model, MultiLabel(), LABELS, texts(300)).rows == 300
    assert few.passed
    assert model.encoded == asked + 300


def test_outputs_of_words_are_not_kept():
    model = Lengths((6, 3))
    tags = LABELS.model_copy(update={"labels": ("O", "B-x", "I-x"), "head": Head(kind="token_classification", outputs=3)})
    assert prove(model, model, model, TokenClassification(), tags, texts(640)).passed
    assert model.most <= 3
