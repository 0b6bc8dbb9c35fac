"""What `full` learns by, beside one of several classes of one text."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Limits, TrialSpec
from autoft.interfaces.problem import Head, Metric
from autoft_plugins.models.full import Full

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
KINDS = ("multi_label_classification", "regression", "pairs")
MEAN, STEP = 25_000.0, 400.0


@pytest.fixture
def data_of(text_data):
    """`data_of(kind, rows)`: targets that words tell, for each kind of head; of pairs, the second text tells."""

    def make(kind: str, rows: int = 40) -> FitData:
        held = np.arange(rows) % 5 == 3
        data = replace(text_data(rows=rows), train=np.flatnonzero(~held), validation=np.flatnonzero(held))
        texts, codes = data.rows["text"], data.targets
        if kind == "multi_label_classification":
            phone = np.array([text.split()[0] in ("good", "bad", "poor", "fine") for text in texts])
            targets = np.stack([codes, phone, np.zeros(rows)], axis=1).astype(np.int8)
            change = {"task": "multi-label", "labels": ("praise", "short", "never"), "head": Head(kind=kind, outputs=3)}
            change["extra"] = {"class_counts": targets.sum(0).tolist()}
            return replace(data, targets=targets, problem=data.problem.model_copy(update=change))
        if kind == "regression":
            targets = (MEAN + STEP * (2.0 * codes - 1)).astype(np.float32)
            change = {"task": "text-regression", "labels": (), "head": Head(kind=kind, outputs=1), "metric": Metric(name="r2"), "extra": {}}
            return replace(data, targets=targets, problem=data.problem.model_copy(update=change))
        rows_of_two = Table({"text": [" ".join(text.split()[1:8]) for text in texts], "text_pair": texts})
        change = {"task": "pair-classification", "inputs": ("text", "text_pair")}
        return replace(data, rows=rows_of_two, problem=data.problem.model_copy(update=change))

    return make


def spec_of(source, data, seed=3, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    return TrialSpec(1, candidate, default | {"epochs": 1, "batch_size": 8} | changes, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind, tiny_source, data_of, listening):
    data, report = data_of(kind, rows=160), listening()
    fitted = Full().fit(spec_of(tiny_source("bert"), data, learning_rate=3e-3, epochs=16), data, report)
    assert report.measures[-1]["train_loss"] < 0.5 * report.measures[0]["train_loss"]
    logits, truth = report.outputs[-1]["logits"], data.targets[data.validation]
    assert logits.dtype == np.float32
    if kind == "regression":
        assert logits.shape == (32, 1)
        assert np.corrcoef(logits[:, 0], truth)[0, 1] > 0.9
        assert abs(float(logits.mean()) - MEAN) < STEP
    elif kind == "pairs":
        assert (logits.argmax(1) == truth).mean() > 0.9
    else:
        assert ((logits > 0) == truth).mean() > 0.9
    given = fitted.outputs(data.rows.take(data.validation))["logits"]
    np.testing.assert_allclose(given, report.outputs[-1]["logits"], atol=STEP / 20 if kind == "regression" else 0.1)


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_answers_the_same_here_and_in_the_library(kind, architecture, tiny_source, data_of, listening, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    data = data_of(kind, rows=20)
    fitted = Full().fit(spec_of(tiny_source(architecture), data), data, listening())
    fitted.save(tmp_path)
    answers, size = fitted.outputs(data.rows)["logits"], STEP if kind == "regression" else 1.0
    np.testing.assert_allclose(Full().load(tmp_path).outputs(data.rows)["logits"], answers, atol=1e-6 * MEAN)
    assert fitted.outputs(data.rows.take([]))["logits"].shape == (0, data.problem.head.outputs)
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path)
    texts = [data.rows[name] for name in data.problem.inputs]
    batch = tokenizer(*texts, padding=True, truncation=True, return_tensors="pt", return_token_type_ids=architecture == "bert")
    with torch.no_grad():
        logits = model(**batch).logits.numpy()
    np.testing.assert_allclose(logits, answers, atol=1e-4 * size)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["problem_type"] == data.problem.head.kind
    assert list(config["id2label"].values()) == list(data.problem.labels or ("LABEL_0",))


def test_saving_on_the_way_leaves_the_learning_as_it_is(tiny_source, data_of, listening, tmp_path):
    """What is saved is in the user's units, what goes on is not."""
    data, source, kept = data_of("regression"), tiny_source("bert"), []

    class Saving(listening):
        def __call__(self, progress, outputs, save, **measures):
            folder = tmp_path / str(len(kept))
            folder.mkdir()
            save(folder)
            kept.append((folder, outputs["logits"]))
            return super().__call__(progress, outputs, save, **measures)

    plain, saving = listening(), Saving()
    for report in (plain, saving):
        Full().fit(spec_of(source, data, epochs=2), data, report)
    assert len(kept) == len(plain.outputs) > 1
    for (folder, reported), other in zip(kept, plain.outputs, strict=True):
        np.testing.assert_array_equal(reported, other["logits"])
        given = Full().load(folder).outputs(data.rows.take(data.validation))["logits"]
        np.testing.assert_allclose(given, reported, atol=STEP / 20)


def test_numbers_that_are_all_the_same_are_learned_as_such(tiny_source, data_of, listening):
    data = data_of("regression")
    data = replace(data, targets=np.full(len(data.rows), 7.5, np.float32))
    logits = Full().fit(spec_of(tiny_source("bert"), data, epochs=3), data, listening()).outputs(data.rows)["logits"]
    assert np.abs(logits - 7.5).max() < 1.5


def test_a_head_into_which_no_scale_can_be_folded_is_refused(tiny_source, data_of, listening, monkeypatch):
    from torch import nn

    from autoft_plugins.models.transformer import loading

    class Unbiased(nn.Module):
        def __init__(self):
            super().__init__()
            self.base_model = nn.Linear(4, 4)
            self.score = nn.Linear(4, 1, bias=False)

    monkeypatch.setattr(loading, "pretrained", lambda *_: loading.Loaded(Unbiased(), frozenset()))
    data = data_of("regression")
    with pytest.raises(TrialError, match="Unbiased does not end in a linear layer with a bias"):
        Full().fit(spec_of(tiny_source("bert"), data), data, listening())


@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_the_model_learns_from_the_arrays_that_the_encoder_gives(architecture, tiny_source, data_of, listening, monkeypatch):
    """The same rows, the types of their tokens among them, in training and in the bundle; ids are those of the small table."""
    import torch

    from autoft_plugins.models.transformer.fitted import open_encoding
    from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective

    data, seen = data_of("pairs", rows=20), []
    forward = SequenceObjective.forward

    def spy(self, model, inputs):
        seen.append((torch.is_grad_enabled(), {name: value.numpy().copy() for name, value in inputs.items()}))
        return forward(self, model, inputs)

    monkeypatch.setattr(SequenceObjective, "forward", spy)
    fitted = Full().fit(spec_of(tiny_source(architecture), data), data, listening())
    arrays = open_encoding(fitted.encoder).encode(data.rows).arrays
    assert ("token_type_ids" in arrays) is (architecture == "bert")
    assert {training for training, _ in seen} == {True, False}
    served = {tuple(own[own_mask == 1]) for own, own_mask in zip(arrays.get("token_type_ids", []), arrays["attention_mask"], strict=False)}
    for _, inputs in seen:
        assert list(inputs) == list(arrays)
        for row, mask in enumerate(inputs["attention_mask"]):
            kept = mask.astype(bool)
            if architecture == "bert":
                types = inputs["token_type_ids"][row]
                assert tuple(types[kept]) in served
                assert types[kept].any()
                assert not types[~kept].any()


def test_a_second_text_moves_the_answer_and_so_do_its_types(tiny_source, data_of, listening):
    data = data_of("pairs", rows=160)
    fitted = Full().fit(spec_of(tiny_source("bert"), data, learning_rate=3e-3, epochs=6), data, listening())
    row = Table({"text": ["the phone", "the phone", "good"], "text_pair": ["good", "awful", "the phone"]})
    logits = fitted.outputs(row)["logits"]
    assert logits[0].argmax() == 1
    assert logits[1].argmax() == 0
    assert not np.allclose(logits[0], logits[2], atol=1e-3)


def test_the_small_table_knows_the_words_of_both_texts(tiny_source, data_of, listening, monkeypatch):
    from autoft_plugins.models.transformer import training

    class Whole(training.CompactEmbedding):
        def __init__(self, model, used):
            super().__init__(model, np.arange(model.get_input_embeddings().num_embeddings))

    source, data = tiny_source("bert"), data_of("pairs", rows=20)
    data = replace(data, rows=Table({"text": ["phone"] * 20, "text_pair": data.rows["text_pair"]}))
    spec = spec_of(source, data, learning_rate=1e-3)
    small = Full().fit(spec, data, listening()).outputs(data.rows)["logits"]
    monkeypatch.setattr(training, "CompactEmbedding", Whole)
    np.testing.assert_allclose(Full().fit(spec, data, listening()).outputs(data.rows)["logits"], small, atol=1e-4)


def test_focal_loss_is_that_of_the_article():
    import torch

    from autoft_plugins.models.transformer.objectives.focal import focal

    right = torch.tensor([0.9, 0.5, 0.1])
    expected = [(1 - p) ** 2 * -np.log(p) for p in (0.9, 0.5, 0.1)]
    np.testing.assert_allclose(focal(-torch.log(right)).numpy(), expected, rtol=1e-5)
    losses = torch.tensor([0.0, 1e-9, 50.0], requires_grad=True)
    focal(losses).sum().backward()
    assert torch.isfinite(losses.grad).all()


def test_rare_labels_open_the_balance_and_each_way_lifts_them(tiny_source, data_of, listening):
    data, source = data_of("multi_label_classification", rows=60), tiny_source("bert")
    targets = data.targets.copy()
    targets[:, 2] = np.arange(60) % 10 == 0
    counts = {"class_counts": targets.sum(0).tolist()}
    data = replace(data, targets=targets, problem=data.problem.model_copy(update={"extra": counts}))
    space = Full().space(Candidate("full", source), data.problem, 45)
    assert space.parameters["balance"].values == ("none", "weights", "focal")
    rare = {}
    for balance in space.parameters["balance"].values:
        report = listening()
        Full().fit(spec_of(source, data, balance=balance, epochs=4), data, report)
        rare[balance] = float(report.outputs[-1]["logits"][:, 2].mean())
    assert rare["weights"] > rare["none"]
    assert rare["focal"] > rare["none"]


def test_focal_loss_is_searched_for_uneven_classes(tiny_source, text_data, listening):
    data, source = text_data(rows=48, uneven=True), tiny_source("bert")
    assert "focal" in Full().space(Candidate("full", source), data.problem, 36).parameters["balance"].values
    plain, focused = listening(), listening()
    Full().fit(spec_of(source, data, balance="none", epochs=3), data, plain)
    Full().fit(spec_of(source, data, balance="focal", epochs=3), data, focused)
    gap = [float((r.outputs[-1]["logits"][:, 1] - r.outputs[-1]["logits"][:, 0]).mean()) for r in (plain, focused)]
    assert gap[1] > gap[0]


def test_positive_weights_are_the_root_of_the_odds():
    from autoft_plugins.models.transformer.batches import positive_weights

    targets = np.array([[1, 1, 0]] * 2 + [[1, 0, 0]] * 8, np.int8)
    np.testing.assert_allclose(positive_weights(targets), [1.0, 2.0, np.sqrt(10)])


def test_row_weights_count_in_every_kind(tiny_source, data_of, listening):
    for kind in ("multi_label_classification", "regression"):
        data = data_of(kind)
        heavy = data.targets[:, 0] if kind.startswith("multi") else data.targets > MEAN
        means = []
        for weights in (None, np.where(heavy, 20.0, 1.0)):
            fitted = Full().fit(spec_of(tiny_source("bert"), data, epochs=3), replace(data, weights=weights), listening())
            means.append(float(fitted.outputs(data.rows)["logits"][:, 0].mean()))
        assert means[1] > means[0]


def test_candidates_for_pairs_and_every_kind(tiny_source, data_of, tmp_path):
    import shutil

    source = tiny_source("bert")
    for kind in KINDS:
        data = data_of(kind)
        (candidate,) = Full().candidates(data.problem, [source], LIMITS, data.rows)
        assert candidate.proposed, candidate.reason
        assert "knows every token" in candidate.reason
    data = data_of("pairs")
    unknown = Table({"text": data.rows["text"], "text_pair": ["东西很好 用了一周"] * len(data.rows)})
    (candidate,) = Full().candidates(data.problem, [source], LIMITS, unknown)
    assert not candidate.proposed
    assert "does not know" in candidate.reason
    for changes in ({"inputs": ("numbers",)}, {"inputs": ("text", "text_pair", "more")}, {"head": Head(kind="ranking", outputs=2)}):
        assert Full().candidates(data.problem.model_copy(update=changes), [source], LIMITS, data.rows) == []
    folder = tmp_path / "writer"
    shutil.copytree(source.folder, folder)
    config = json.loads((folder / "config.json").read_text()) | {"is_encoder_decoder": True, "model_type": "t5"}
    (folder / "config.json").write_text(json.dumps(config))
    (candidate,) = Full().candidates(data.problem, [replace(source, folder=folder, sha256="writer")], LIMITS, data.rows)
    assert not candidate.proposed
    assert candidate.reason == "t5 is an encoder with a decoder, which writes texts and gives no labels or scores"


def test_a_kind_that_nobody_knows_ends_the_trial(tiny_source, data_of, listening):
    data = data_of("pairs", rows=20)
    spec = spec_of(tiny_source("bert"), data)
    strange = replace(data, problem=data.problem.model_copy(update={"head": Head(kind="ranking", outputs=2)}))
    with pytest.raises(TrialError, match="'ranking' cannot be fine-tuned"):
        Full().fit(spec, strange, listening())


@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_has_no_validation_rows(kind, tiny_source, data_of, listening):
    data, report = data_of(kind, rows=20), listening()
    data = replace(data, train=np.arange(20), validation=np.zeros(0, np.int64))
    Full().fit(spec_of(tiny_source("bert"), data), data, report)
    assert report.outputs[-1]["logits"].shape == (0, data.problem.head.outputs)
