"""`frozen` on two texts: each is read on its own, then the two are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoft import load
from autoft.data.table import Table
from autoft.interfaces.model import Candidate, Limits, TrialSpec
from autoft.interfaces.problem import Head, Metric
from autoft.proof import prove
from autoft.runtime.bundle import EncoderRecord
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders.token_pairs import TokenPairEncoder
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.transformer.feature_cache import features_of
from autoft_plugins.tasks import TASKS
from small_bundle import make_bundle
from task_bundles import changed

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
PRAISE, BLAME = ["good", "fine", "great", "nice", "superb"], ["bad", "poor", "awful", "weak", "dull"]
ALIKE = {
    "regression": ("pair-score", (), {"alpha": 10.0}),
    "single_label_classification": ("pair-classification", ("other", "same"), {"C": 1.0}),
}


@pytest.fixture
def pairs_of(text_data):
    """`pairs_of(kind)`: how many of four words two texts have in common, in the user's units; or whether they have three or more."""

    def make(kind="regression", rows=160):
        generator, data = np.random.default_rng(2), text_data(rows=rows)
        one = generator.integers(0, 5, (rows, 4))
        two = np.where(generator.random((rows, 4)) < generator.random((rows, 1)), one, generator.integers(0, 5, (rows, 4)))
        shared = (one == two).sum(1)
        words = [PRAISE, BLAME, ["phone", "case", "sound", "screen", "cable"], ["works", "broke", "was", "is", "but"]]
        texts = [[" ".join(words[k][i] for k, i in enumerate(row)) for row in side] for side in (one, two)]
        task, labels, _ = ALIKE[kind]
        metric = Metric(name=next(item for item in TASKS if item.name == task).metrics[0])
        fields = {"text": ("premise",), "text_pair": ("hypothesis",), "label": ("label",)}
        facts = {"task": task, "labels": labels, "head": Head(kind=kind, outputs=max(1, len(labels))), "metric": metric, "extra": {}}
        problem = data.problem.model_copy(update={**facts, "inputs": ("text", "text_pair"), "fields": fields})
        targets = (1000 + 100 * shared).astype(np.float32) if kind == "regression" else (shared > 2).astype(np.int64)
        return replace(data, rows=Table({"text": texts[0], "text_pair": texts[1]}), targets=targets, problem=problem)

    return make


@pytest.fixture
def fit(tiny_source, listening):
    def run(data, architecture="bert"):
        report, chosen = listening(), ALIKE[data.problem.head.kind][2]
        return Frozen().fit(TrialSpec(1, Candidate("frozen", tiny_source(architecture)), chosen, 3), data, report), report

    return run


def saved(fitted, folder):
    folder.mkdir()
    fitted.save(folder)
    return Frozen().load(folder)


def test_pairs_have_a_candidate(pairs_of, tiny_source):
    data = pairs_of()
    (candidate,) = Frozen().candidates(data.problem, [tiny_source("bert")], LIMITS, data.rows)
    assert candidate.proposed
    assert candidate.name == "frozen:tiny-bert"


@pytest.mark.parametrize(("kind", "architecture"), [("regression", "bert"), ("single_label_classification", "distilbert")])
def test_it_learns_and_is_saved(kind, architecture, pairs_of, fit, tmp_path):
    data = pairs_of(kind)
    fitted, report = fit(data, architecture)
    logits, truth = report.outputs[0]["logits"], data.targets[data.validation]
    if kind == "regression":
        assert np.corrcoef(logits[:, 0], truth)[0, 1] > 0.8
        assert abs(logits.mean() - truth.mean()) < 50
    else:
        assert (logits.argmax(1) == truth).mean() > 0.8
    loaded, rows = saved(fitted, tmp_path / "model"), data.rows.take(np.arange(40))
    np.testing.assert_allclose(loaded.outputs(rows)["logits"], fitted.outputs(rows)["logits"], rtol=1e-6, atol=1e-6)
    assert loaded.outputs(rows.take([]))["logits"].shape == (0, logits.shape[1])


def test_it_is_exported_and_proved_and_a_request_names_both_texts(pairs_of, fit, tmp_path):
    data, bundle = pairs_of(), tmp_path / "bundle"
    fitted, rows = fit(data)[0], data.rows.take(np.arange(40))
    program = fitted.program()
    (part,) = program.parts
    assert {tensor.axes for tensor in part.inputs} == {("batch", 2, "length")}
    encoder = EncoderRecord(name=program.encoder.name, config=dict(program.encoder.config))
    schema = {"properties": {"text": {"type": "string"}, "text_pair": {"type": "string"}}}
    make_bundle(bundle)
    OnnxFp32().export(program, data.problem, bundle)
    for name, content in program.encoder.files.items():
        (bundle / name).write_bytes(content)
    changed(bundle, problem=data.problem, encoder=encoder, input_schema=schema)
    session = OnnxFp32().open(bundle, 1)
    task = next(item for item in TASKS if item.name == data.problem.task)
    encoding = TokenPairEncoder().open(bundle, program.encoder.config)
    proof = prove(fitted, session, encoding, task, data.problem, rows)
    assert proof.passed, proof.reasons
    assert proof.rows == len(rows)
    assert max(tried.length for tried in proof.combinations) == 24

    asked = [{"text": one, "text_pair": two} for one, two in zip(rows["text"], rows["text_pair"], strict=True)]
    answers = load(bundle).predict([*asked[:3], {"premise": asked[3]["text"], "hypothesis": asked[3]["text_pair"]}])
    np.testing.assert_allclose([answer["score"] for answer in answers], fitted.outputs(rows.take(range(4)))["logits"][:, 0], rtol=1e-5)

    class Unmasked:
        def run(self, arrays):
            return session.run({**arrays, "attention_mask": np.ones_like(arrays["attention_mask"])})

    assert not prove(fitted, Unmasked(), encoding, task, data.problem, rows.take(range(5))).passed


def test_a_text_is_read_once_and_pairs_may_be_turned_round(pairs_of, tiny_source, monkeypatch):
    from autoft_plugins.models.transformer import features
    from autoft_plugins.models.transformer.encoding import token_config

    data, read = pairs_of(rows=20), []
    data = replace(data, rows=Table({"text": data.rows["text"], "text_pair": ["good phone"] * 10 + list(data.rows["text"][10:])}))
    own = features.mean_pooled
    monkeypatch.setattr(features, "mean_pooled", lambda hidden, mask: read.append(len(mask)) or own(hidden, mask))
    source = tiny_source("bert")
    config = token_config(source, 24, data.problem.inputs)
    given = np.array(features_of(source, data, config, 0, lambda: False))
    assert sum(read) == len({*data.rows["text"], "good phone"})
    width = given.shape[1] // 2
    assert given.shape == (20, 65)
    np.testing.assert_allclose(given[10:], np.eye(65)[[64] * 10], atol=1e-5)  # twice the same text: no distance, cosine 1
    turned = replace(data, rows=Table({"text": data.rows["text_pair"], "text_pair": data.rows["text"]}))
    other = features_of(source, turned, config, 0, lambda: False)
    np.testing.assert_allclose(other[:, width:-1], -given[:, width:-1], atol=1e-6)
    np.testing.assert_allclose(np.delete(other, np.s_[width:-1], 1), np.delete(given, np.s_[width:-1], 1), atol=1e-6)
