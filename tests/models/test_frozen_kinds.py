"""`frozen` on labels and numbers; on what it does not learn it says why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, Limits, TrialSpec
from autoft.interfaces.problem import Head, Metric
from autoft.proof import prove
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders import ENCODERS
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.transformer.feature_cache import features_of
from autoft_plugins.tasks import TASKS

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)


def changed(data, task, kind, outputs, labels, targets):
    metric = Metric(name=next(item for item in TASKS if item.name == task).metrics[0])
    facts = {"task": task, "head": Head(kind=kind, outputs=outputs), "labels": labels, "metric": metric, "extra": {}}
    return replace(data, problem=data.problem.model_copy(update=facts), targets=targets)


def labels_data(data):
    """Praise, a text of many words, a label on no row."""
    long = [len(text.split()) > 15 for text in data.rows["text"]]
    targets = np.column_stack([data.targets, long, np.zeros(len(long))]).astype(np.int8)
    return changed(data, "multi-label", "multi_label_classification", 3, ("praise", "long", "never"), targets)


def scores_data(data):
    """The length of a text, in hundreds of words."""
    lengths = np.array([len(text.split()) for text in data.rows["text"]], np.float32)
    return changed(data, "text-regression", "regression", 1, (), 1000 + 100 * lengths)


KINDS = {"labels": labels_data, "scores": scores_data}


@pytest.fixture(params=KINDS)
def data(request, text_data):
    return KINDS[request.param](text_data(rows=80))


def spec_of(data, source, **changes):
    candidate = Candidate("frozen", source)
    return TrialSpec(1, candidate, Frozen().space(candidate, data.problem, len(data.train)).default | changes, 3)


def test_it_learns_is_saved_and_loaded_and_passes_the_proof(data, tiny_source, listening, tmp_path):
    report, regression = listening(), data.problem.head.kind == "regression"
    fitted = Frozen().fit(spec_of(data, tiny_source("bert"), **({"alpha": 1.0} if regression else {"C": 10.0})), data, report)
    given, truth = report.outputs[0]["logits"], data.targets[data.validation]
    if regression:
        assert np.corrcoef(given[:, 0], truth)[0, 1] > 0.8
        assert abs(given.mean() - truth.mean()) < 500
    else:
        assert ((given[:, 1] > 0) == truth[:, 1]).mean() > 0.8
        assert (given[:, 2] < -10).all()
    folder = tmp_path / "model"
    folder.mkdir()
    fitted.save(folder)
    loaded = Frozen().load(folder)
    rows = data.rows.take(np.arange(20))
    np.testing.assert_allclose(loaded.outputs(rows)["logits"], fitted.outputs(rows)["logits"], rtol=1e-6, atol=1e-6)

    program = loaded.program()
    assert program.config["problem_type"] == data.problem.head.kind
    assert len(program.config["id2label"]) == data.problem.head.outputs
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for name, content in program.encoder.files.items():
        (bundle / name).write_bytes(content)
    OnnxFp32().export(program, data.problem, bundle)
    encoder = next(item for item in ENCODERS if item.name == program.encoder.name)
    encoding = encoder.open(bundle, json.loads(json.dumps(program.encoder.config)))
    task = next(item for item in TASKS if item.name == data.problem.task)
    proof = prove(loaded, OnnxFp32().open(bundle, 1), encoding, task, data.problem, rows)
    assert proof.passed, proof.reasons


def test_heads_are_those_of_scikit_learn(data, tiny_source, listening):
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import StandardScaler

    source, report = tiny_source("bert"), listening()
    regression = data.problem.head.kind == "regression"
    fitted = Frozen().fit(spec_of(data, source, **({"alpha": 5.0} if regression else {"C": 0.1})), data, report)
    config = fitted.encoder.config
    features = np.asarray(features_of(source, data, dict(config), 0, lambda: False), np.float64)
    scaled = StandardScaler().fit(features[data.train]).transform(features)
    if regression:
        targets = StandardScaler().fit(data.targets[data.train, None])
        ridge = Ridge(alpha=5.0).fit(scaled[data.train], targets.transform(data.targets[data.train, None]))
        expected = targets.inverse_transform(ridge.predict(scaled[data.validation]).reshape(-1, 1))
        np.testing.assert_allclose(report.outputs[0]["logits"], expected, rtol=2e-3)
    else:
        learner = OneVsRestClassifier(LogisticRegression(C=0.1, tol=1e-4)).fit(scaled[data.train], data.targets[data.train, :2])
        expected = learner.decision_function(scaled[data.validation])
        np.testing.assert_allclose(report.outputs[0]["logits"][:, :2], expected, atol=2e-2)


def test_words_have_no_candidate_and_a_trial_says_why(text_data, tiny_source, listening):
    data = text_data(rows=20)
    problem = data.problem.model_copy(update={"head": Head(kind="token_classification", outputs=2)})
    source = tiny_source("bert")
    assert Frozen().candidates(problem, [source], LIMITS, data.rows) == []
    assert Frozen().wanted(problem, [], LIMITS) == []
    with pytest.raises(TrialError, match="one vector a text"):
        Frozen().fit(TrialSpec(1, Candidate("frozen", source), {"C": 1.0}, 3), replace(data, problem=problem), listening())
