"""Fitted models with a smaller vocabulary: the same answers where all tokens stayed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import ExportError
from autoft.interfaces.model import Candidate, TrialSpec, TrimsVocabulary
from autoft.interfaces.problem import Head, Metric, Problem
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear
from autoft_plugins.models.transformer.trimming import trim
from autoft_plugins.tasks.entities import TAGS

SEEN = Table({"text": ["good", "the screen is awful and the sound is weak", "very " * 60, ""]})
UNSEEN = Table({"text": ["superb cable", "nice"]})


def fine_tuned(source, data, listening, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    return Full().fit(TrialSpec(1, candidate, default | {"epochs": 1, "batch_size": 8} | changes, 3), data, listening())


def saved(fitted, folder):
    folder.mkdir()
    fitted.save(folder)
    return folder


@pytest.mark.parametrize(
    "architecture", ["bert", "distilbert", "roberta", "deberta-v2", "electra", "albert", "xlm-roberta", "modernbert", "mpnet"]
)
def test_seen_texts_get_the_same_answers(architecture, tiny_source, text_data, listening, tmp_path):
    fitted = fine_tuned(tiny_source(architecture), text_data(rows=20), listening)
    assert isinstance(fitted, TrimsVocabulary)
    before, table = fitted.outputs(SEEN)["logits"], fitted.model.get_input_embeddings().weight.detach().clone()
    made = fitted.trimmed(SEEN, 0.0)
    small = made.fitted
    assert made.of == len(table)
    assert made.kept == small.model.config.vocab_size == small.model.get_input_embeddings().num_embeddings < made.of
    np.testing.assert_allclose(small.outputs(SEEN)["logits"], before, atol=1e-5)
    assert np.isfinite(small.outputs(UNSEEN)["logits"]).all()
    assert np.abs(small.outputs(UNSEEN)["logits"] - fitted.outputs(UNSEEN)["logits"]).max() > 1e-6  # by letters
    again = Full().load(saved(small, tmp_path / "model"))
    np.testing.assert_allclose(again.outputs(SEEN)["logits"], before, atol=1e-5)
    # The model itself is as it was.
    assert fitted.model.config.vocab_size == len(table)
    np.testing.assert_array_equal(fitted.model.get_input_embeddings().weight.detach(), table)
    np.testing.assert_allclose(fitted.outputs(SEEN)["logits"], before, atol=1e-6)


def test_the_rows_of_the_table_are_those_of_the_tokens(tiny_source, text_data, listening):
    fitted = fine_tuned(tiny_source("bert"), text_data(rows=20), listening)
    small = fitted.trimmed(SEEN, 0.0).fitted
    old, new = (json.loads(one.encoder.files["tokenizer.json"])["model"]["vocab"] for one in (fitted, small))
    assert "superb" not in new
    assert len(new) < len(old)
    for token, place in new.items():
        rows = [one.model.get_input_embeddings().weight[number] for one, number in ((fitted, old[token]), (small, place))]
        np.testing.assert_array_equal(rows[1].detach(), rows[0].detach())
    assert new["[PAD]"] == small.encoder.config["pad_id"] == small.model.config.pad_token_id
    assert new["[UNK]"] == small.encoder.config["unknown_id"]
    assert new["[SEP]"] == small.model.config.eos_token_id


def test_the_same_rows_and_share_leave_the_same_tokens_to_other_weights(tiny_source, text_data, listening):
    models = [fine_tuned(tiny_source("mpnet"), text_data(rows=20), listening, learning_rate=rate) for rate in (1e-3, 1e-4)]
    one, two = (model.trimmed(SEEN, 0.25).fitted for model in models)
    assert one.encoder == two.encoder


def test_a_larger_share_keeps_more(tiny_source, text_data, listening):
    fitted = fine_tuned(tiny_source("bert"), text_data(rows=20), listening)
    kept = [fitted.trimmed(SEEN, share).kept for share in (0.0, 0.25, 0.5, 1.0)]
    assert kept == sorted(set(kept))
    whole = fitted.trimmed(SEEN, 1.0)
    assert whole.kept == whole.of
    np.testing.assert_allclose(whole.fitted.outputs(UNSEEN)["logits"], fitted.outputs(UNSEEN)["logits"], atol=1e-6)


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_a_pipeline_on_the_saved_folder_answers_the_same(architecture, tiny_source, text_data, listening, tmp_path):
    from transformers import pipeline

    fitted = fine_tuned(tiny_source(architecture), text_data(rows=20), listening)
    small = fitted.trimmed(SEEN, 0.0).fitted
    ask = pipeline("text-classification", model=str(saved(small, tmp_path / "model")), top_k=None)
    logits = small.outputs(Table({"text": [*SEEN["text"], *UNSEEN["text"]]}))["logits"].astype(np.float64)
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for row, text in enumerate([*SEEN["text"], *UNSEEN["text"]]):
        given = {one["label"]: one["score"] for one in ask([text], truncation=True)[0]}
        assert given == pytest.approx({"blame": scores[row, 0], "praise": scores[row, 1]}, abs=1e-5)


def test_tags_of_words(tiny_source, text_data, listening, tmp_path):
    texts = ["good phone works", "the case was bad", "it broke"]
    words = [tuple((text.index(word), text.index(word) + len(word)) for word in text.split()) for text in texts]
    problem = Problem(
        task="token-classification", fields={}, inputs=("text", "words"), labels=("O", "B-a", "I-a"),
        head=Head(kind=TAGS, outputs=3), metric=Metric(name="f1"), max_length=24,
    )  # fmt: skip
    rows = Table({"text": texts, "words": words})
    tags, places = np.array([[1, 2, 0, -1], [0, 1, 0, 0], [0, 0, -1, -1]]), np.arange(3)
    data = replace(text_data(rows=20), problem=problem, rows=rows, targets=tags, train=places, validation=places)
    fitted = fine_tuned(tiny_source("bert"), data, listening, crf=True)
    made = fitted.trimmed(rows, 0.0)
    assert made.kept < made.of
    again = Full().load(saved(made.fitted, tmp_path / "model"))
    for one in (made.fitted, again):
        np.testing.assert_allclose(one.outputs(rows)["logits"], fitted.outputs(rows)["logits"], atol=1e-5)
        for name, array in fitted.extra().items():
            np.testing.assert_array_equal(one.extra()[name], array)


@pytest.mark.parametrize("inputs", [("text",), ("text", "text_pair")])
def test_frozen_features(inputs, tiny_source, text_data, listening, tmp_path):
    data = text_data(rows=40)
    rows = Table(dict.fromkeys(inputs, data.rows["text"]))
    data = replace(data, rows=rows, problem=data.problem.model_copy(update={"inputs": inputs}))
    fitted = Frozen().fit(TrialSpec(1, Candidate("frozen", tiny_source("mpnet")), {"C": 1.0}, 3), data, listening())
    some = Table(dict.fromkeys(inputs, SEEN["text"]))
    made = fitted.trimmed(some, 0.0)
    assert made.kept < made.of
    again = Frozen().load(saved(made.fitted, tmp_path / "model"))
    for one in (made.fitted, again):
        np.testing.assert_allclose(one.outputs(some)["logits"], fitted.outputs(some)["logits"], atol=1e-5)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["vocab_size"] == made.kept
    assert made.fitted.program().config["vocab_size"] == made.kept


def test_who_has_no_vocabulary_to_trim(writer, text_data, listening):
    assert not isinstance(writer[0], TrimsVocabulary)
    data = text_data(rows=40)
    space = Linear().space(Candidate("linear"), data.problem, 30)
    assert not isinstance(Linear().fit(TrialSpec(1, Candidate("linear"), space.default, 0), data, listening()), TrimsVocabulary)


def test_a_table_that_gives_the_output_too_is_refused(writer):
    fitted, _ = writer
    with pytest.raises(ExportError, match="its rows cannot be left out"):
        trim(fitted.model, fitted.encoder, np.array([3, 4]), 0.0)


def test_a_tokenizer_of_another_model_is_refused(tiny_source, text_data, listening):
    fitted = fine_tuned(tiny_source("bert"), text_data(rows=20), listening)
    content = json.loads(fitted.encoder.files["tokenizer.json"])
    content["added_tokens"].append({**content["added_tokens"][0], "content": "<new>", "id": len(content["model"]["vocab"])})
    files = {**fitted.encoder.files, "tokenizer.json": json.dumps(content).encode()}
    with pytest.raises(ExportError, match="are not of one model"):
        trim(fitted.model, replace(fitted.encoder, files=files), np.array([5]), 0.0)
