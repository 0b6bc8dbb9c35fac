"""Answers: in order, by role or column name, in batches that do not change them."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from pathlib import Path

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError, DataError
from autoft.interfaces.encoder import Arrays, joined
from autoft.loading import load_predictor
from autoft.runtime import predictor as predictor_module
from autoft.runtime.bundle import EncoderRecord, PluginRecord
from autoft.runtime.predictor import Predictor
from autoft.runtime.schemas import complaint, schema_of
from small_bundle import BAD, GOOD, make_bundle


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return load_predictor(bundle, threads=1)


def mixed(rows: int) -> tuple[list[str], list[str]]:
    generator = random.Random(3)
    labels = [generator.choice(("bad", "good")) for _ in range(rows)]
    texts = [" ".join(["filler"] * generator.randrange(30) + [generator.choice(BAD if label == "bad" else GOOD)]) for label in labels]
    return texts, labels


def test_answers_are_in_order_across_batches(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "ROWS_WITHOUT_LENGTH", 7)
    texts, labels = mixed(100)
    answers = predictor.predict(texts)
    assert [answer["label"] for answer in answers] == labels
    assert answers[0].keys() == {"label", "score", "scores"}
    assert sum(answers[0]["scores"].values()) == pytest.approx(1)


def test_several_batches_at_once_give_the_same_answers_in_order(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "ROWS_WITHOUT_LENGTH", 7)
    predictor = load_predictor(bundle, threads=1, at_once=2)
    run, both = predictor._session.run, threading.Barrier(2)

    def together(arrays: Arrays) -> Arrays:
        both.wait(timeout=30)  # broken, and so a failure, where one batch is in work at a time
        return run(arrays)

    monkeypatch.setattr(predictor._session, "run", together)
    texts, labels = mixed(98)
    assert [answer["label"] for answer in predictor.predict(texts)] == labels


def test_an_error_in_one_of_several_batches_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "ROWS_WITHOUT_LENGTH", 7)
    predictor = load_predictor(bundle, threads=1, at_once=2)
    run, seen = predictor._session.run, itertools.count()

    def failing(arrays: Arrays) -> Arrays:
        if next(seen) == 3:
            raise BundleError("the fourth batch")
        return run(arrays)

    monkeypatch.setattr(predictor._session, "run", failing)
    with pytest.raises(BundleError, match="the fourth batch"):
        predictor.predict(mixed(98)[0])


def test_batches_shrink_as_rows_grow(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    run = predictor._session.run
    monkeypatch.setattr(predictor._session, "run", lambda arrays: seen.append(len(arrays["ids"])) or run(arrays))
    texts = ["great " * 20_000, *(["awful"] * 300)]
    assert [a["label"] for a in predictor.predict(texts)] == ["good"] + ["bad"] * 300
    assert seen == [1, 256, 44]


def test_rows_by_role_by_column_and_as_text(predictor: Predictor) -> None:
    rows = ["great", {"text": "great"}, {"review": "great"}, {"review": "awful", "text": "great", "other": 1}]
    assert [answer["label"] for answer in predictor.predict(rows)] == ["good"] * 4
    assert predictor.predict([]) == []


@pytest.mark.parametrize("bad", [[3], [None], [{"txt": "great"}], [{"text": None}], [{"text": ["a"]}], [{}]])
def test_rows_that_are_none(predictor: Predictor, bad: list[object]) -> None:
    with pytest.raises(DataError, match="row 2"):
        predictor.predict(["fine", *bad])  # type: ignore[list-item]


def test_a_single_row_is_not_taken_for_letters(predictor: Predictor) -> None:
    with pytest.raises(DataError, match="a list of rows"):
        predictor.predict("great")


@pytest.mark.parametrize("text", ["", "\0", "great \ud83d", "\udcff\ud800", "\U0001f600", "e\u0301" * 50])
def test_odd_texts_have_answers(predictor: Predictor, text: str) -> None:
    (answer,) = predictor.predict([text])
    assert answer["label"] in ("bad", "good")


def test_outputs_are_the_graphs_in_order(predictor: Predictor) -> None:
    outputs = predictor.outputs(Table({"text": ["great", "", "awful awful broken", "great"]}))
    assert outputs["logits"].shape == (4, 2)
    assert np.array_equal(outputs["logits"][0], outputs["logits"][3])
    assert outputs["logits"].argmax(1).tolist() == [1, 0, 0, 1]
    assert outputs["logits"][1].tolist() == [0, 0]


def test_outputs_of_unequal_length_are_filled_with_zeros() -> None:
    pieces = [([2, 0], np.ones((2, 3, 2))), ([1], np.full((1, 1, 2), 2.0))]
    whole = joined([(numbers, {"logits": array}) for numbers, array in pieces], 3)["logits"]
    assert whole.shape == (3, 3, 2)
    assert whole[1].tolist() == [[2, 2], [0, 0], [0, 0]]


def test_a_stream_keeps_order_and_reads_a_chunk_at_a_time(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_module, "CHUNK", 10)
    texts, labels = mixed(35)
    read = 0

    def rows():
        nonlocal read
        for number, text in enumerate(texts):
            read += 1
            yield {"id": number, "review": text}

    stream = predictor.stream(rows())
    first = next(stream)
    assert read == 10
    pairs = [first, *stream]
    assert [row["id"] for row, _ in pairs] == list(range(35))
    assert [answer["label"] for _, answer in pairs] == labels


def test_a_stream_without_the_column_says_which(predictor: Predictor) -> None:
    with pytest.raises(DataError, match="reads the column 'review'; the file has 'body', 'id'"):
        list(predictor.stream([{"id": 1, "body": "great"}]))


PLUGIN = """
import autoft
from autoft_plugins.tasks.text_classification import TextClassification

class Mine(TextClassification):
    name = "mine"

@autoft.hookimpl
def autoft_register_tasks():
    return [Mine()]
"""


def test_a_missing_plugin_is_named_with_its_hash(tmp_path: Path, bundle: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    from small_bundle import problem

    needed = problem().model_copy(update={"task": "mine"})
    folder = make_bundle(tmp_path / "other", plugins=(PluginRecord(name="mine.py", sha256=digest),), problem=needed)
    with pytest.raises(BundleError) as caught:
        load_predictor(folder)
    assert "mine.py" in caught.value.message
    assert digest in caught.value.message
    assert caught.value.hint == "add --plugin mine.py"
    assert load_predictor(folder, plugin_files=[file]).predict(["great"])[0]["label"] == "good"
    file.write_text(PLUGIN + "# changed\n")
    with pytest.raises(BundleError, match="is not the file that"):
        load_predictor(folder, plugin_files=[file])


def test_an_unknown_task_without_a_plugin_file(tmp_path: Path) -> None:
    from small_bundle import problem

    folder = make_bundle(tmp_path / "other", problem=problem().model_copy(update={"task": "text-clasification"}))
    with pytest.raises(BundleError, match="did you mean 'text-classification'"):
        load_predictor(folder)


def test_an_encoder_config_of_another_shape(tmp_path: Path) -> None:
    tokens = EncoderRecord(name="tokens", config={"max_length": "long"})
    with pytest.raises(BundleError, match="the encoder 'tokens' cannot be opened"):
        load_predictor(make_bundle(tmp_path / "other", encoder=tokens))


def test_schemas_from_examples() -> None:
    assert schema_of(["a", "b"]) == {"type": "string"}
    assert schema_of([1, 2.5, None]) == {"type": ["number", "null"]}
    assert schema_of([np.float32(1)]) == {"type": "number"}
    assert schema_of([1, "a"]) == {}
    assert schema_of([{"a": 1}, {"a": 2, "b": ["x"]}]) == {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "array", "items": {"type": "string"}}},
        "required": ["a"],
    }
    assert complaint({"type": "string"}, 3) == "should be a text, not a number"
    assert complaint({"type": ["number", "null"]}, "x") == "should be a number, not a text"
    assert complaint({"type": ["string", "array"], "items": {"type": "string"}}, 3) == "should be a text or a list, not a number"
    assert complaint({"type": ["string", "array"], "items": {"type": "string"}}, ["a", 3]) == "item 1 should be a text, not a number"
    assert complaint({"type": "array", "items": {"type": "number"}}, [1, True]) == "item 1 should be a number, not true or false"
    assert complaint({"type": "array", "items": {"type": "number"}}, [1, 2]) is None
    assert complaint({}, object()) is None
