from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import BundleError, TrialError
from autoft.interfaces.model import Candidate, Limits, TrialSpec
from autoft.interfaces.problem import Head
from autoft_plugins.models.linear import Linear

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
TEXTS = Table({"text": ["good phone", "", None, "zzz", "的 awful", "weak " * 3000]})


def spec_of(data, **changes):
    default = Linear().space(Candidate("linear"), data.problem, len(data.train)).default
    return TrialSpec(1, Candidate("linear"), default | changes, 3)


def three_classes(data):
    """The same rows with a third class for texts about the screen."""
    targets = data.targets.copy()
    targets[["screen" in text and k % 3 == 0 for k, text in enumerate(data.rows["text"])]] = 2
    problem = data.problem.model_copy(
        update={"labels": ("blame", "praise", "screen"), "head": Head(kind="single_label_classification", outputs=3), "extra": {}}
    )
    return replace(data, problem=problem, targets=targets)


def test_one_candidate_without_a_source(text_data):
    data = text_data()
    (candidate,) = Linear().candidates(data.problem, [], LIMITS, data.rows)
    assert candidate.name == "linear"
    assert candidate.proposed
    generation = data.problem.model_copy(update={"head": Head(kind="seq2seq", outputs=1)})
    assert Linear().candidates(generation, [], LIMITS, data.rows) == []
    images = data.problem.model_copy(update={"inputs": ("image",)})
    assert Linear().candidates(images, [], LIMITS, data.rows) == []


def test_class_weights_are_searched_only_when_classes_are_uneven(text_data):
    candidate = Candidate("linear")
    assert "class_weight" not in Linear().space(candidate, text_data(rows=48).problem, 36).parameters
    assert "class_weight" in Linear().space(candidate, text_data(rows=48, uneven=True).problem, 36).parameters


def test_it_learns_and_the_same_spec_gives_the_same_weights(text_data, listening):
    data, report = text_data(rows=200), listening()
    first, second = (Linear().fit(spec_of(data), data, report) for _ in range(2))
    assert np.array_equal(first.weight, second.weight)
    assert report.progress == [1.0, 1.0]
    logits = report.outputs[0]["logits"]
    assert logits.shape == (50, 2)
    assert (logits.argmax(1) == data.targets[data.validation]).mean() > 0.85


@pytest.mark.parametrize("classes", [2, 3])
def test_logits_are_those_of_scikit_learn(classes, text_data, listening, monkeypatch):
    from scipy.special import log_softmax
    from sklearn.linear_model import LogisticRegression

    from autoft_plugins.models.linear.features import matrix_of

    data = text_data(rows=80) if classes == 2 else three_classes(text_data(rows=80))
    kept = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, *rest, **options: kept.append(fit(self, *rest, **options)) or kept[-1])
    fitted = Linear().fit(spec_of(data), data, listening())
    given = log_softmax(fitted.outputs(data.rows)["logits"], axis=1)
    np.testing.assert_allclose(given, kept[0].predict_log_proba(matrix_of(fitted.encoding, data.rows)), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_saved_and_loaded_gives_the_same_answers(classes, text_data, listening, tmp_path):
    data = text_data(rows=60) if classes == 2 else three_classes(text_data(rows=60))
    fitted = Linear().fit(spec_of(data), data, listening())
    fitted.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "encoder.json", "vocabulary.json", "weights.safetensors"]
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "autoft-linear"
    assert list(config["id2label"].values()) == list(data.problem.labels)
    assert config["label2id"][data.problem.labels[1]] == 1
    assert config["problem_type"] == "single_label_classification"
    again = Linear().load(tmp_path)
    assert again.labels == data.problem.labels
    assert np.array_equal(again.outputs(TEXTS)["logits"], fitted.outputs(TEXTS)["logits"])
    assert again.extra() == {}


def test_the_graph_and_the_encoder_of_the_bundle_give_the_same_answers(text_data, listening, tmp_path):
    from autoft.runtime.session import OnnxSession
    from autoft_plugins.encoders.ngrams import NgramEncoder

    data = three_classes(text_data(rows=60))
    fitted = Linear().fit(spec_of(data), data, listening())
    program = fitted.program()
    (part,) = program.parts
    assert [tensor.name for tensor in part.inputs] == ["ids", "values"]
    assert not {node.op_type for node in part.graph.graph.node} - {"Gather", "Unsqueeze", "MatMul", "Squeeze", "Add"}
    (tmp_path / "model.onnx").write_bytes(part.graph.SerializeToString())
    for name, content in program.encoder.files.items():
        (tmp_path / name).write_bytes(content)
    encoding = NgramEncoder().open(tmp_path, program.encoder.config)
    session = OnnxSession(tmp_path / "model.onnx", 1)
    for pad_to in (None, 300):
        given = session.run(encoding.encode(TEXTS, pad_to=pad_to).arrays)["logits"]
        np.testing.assert_allclose(given, fitted.outputs(TEXTS)["logits"], atol=1e-5)
    assert session.run(part.example)["logits"].shape == (2, 3)


def test_a_text_without_a_known_term_gets_the_prior(text_data, listening):
    data = text_data(rows=60)
    fitted = Linear().fit(spec_of(data), data, listening())
    np.testing.assert_array_equal(fitted.outputs(Table({"text": ["", None]}))["logits"], [fitted.bias, fitted.bias])
    assert fitted.outputs(Table({"text": []}))["logits"].shape == (0, 2)


def test_a_refit_on_all_rows_needs_no_validation_rows(text_data, listening):
    data, report = text_data(rows=60), listening()
    Linear().fit(spec_of(data), replace(data, train=np.arange(60), validation=np.arange(0)), report)
    assert report.outputs[0]["logits"].shape == (0, 2)


def test_a_class_without_rows_to_learn_from_is_never_answered(text_data, listening):
    data = three_classes(text_data(rows=60))
    without = replace(data, train=data.train[data.targets[data.train] != 2])
    logits = Linear().fit(spec_of(without), without, listening()).outputs(data.rows)["logits"]
    assert (logits.argmax(1) != 2).all()
    assert np.isfinite(logits).all()


def test_row_weights_count(text_data, listening):
    data = text_data(rows=60)
    heavy = replace(data, weights=np.where(data.targets == 1, 50.0, 1.0))
    plain, weighted = (Linear().fit(spec_of(each), each, listening()).outputs(TEXTS)["logits"] for each in (data, heavy))
    assert (weighted[:, 1] - weighted[:, 0] > plain[:, 1] - plain[:, 0]).all()


def test_what_cannot_be_learned_ends_the_trial(text_data, listening):
    data = text_data(rows=60)
    with pytest.raises(TrialError, match="one class"):
        Linear().fit(spec_of(data), replace(data, targets=np.zeros(60, dtype=np.int64)), listening())
    with pytest.raises(TrialError, match="n-grams have nothing"):
        Linear().fit(spec_of(data), replace(data, rows=Table({"text": [""] * 60})), listening())
    with pytest.raises(TrialError, match="teacher"):
        Linear().fit(spec_of(data), replace(data, teacher=np.zeros((60, 2))), listening())


def test_a_damaged_folder_is_said(text_data, listening, tmp_path):
    data = text_data(rows=60)
    Linear().fit(spec_of(data), data, listening()).save(tmp_path)
    content = json.loads((tmp_path / "vocabulary.json").read_text())
    content["words"], content["idf"] = content["words"][1:], content["idf"][1:]
    (tmp_path / "vocabulary.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="terms, but weights"):
        Linear().load(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(BundleError, match="holds no linear model"):
        Linear().load(tmp_path)


def test_fitting_needs_neither_torch_nor_transformers():
    code = """
import sys, numpy as np
from pathlib import Path
from autoft.data.table import Table
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft_plugins.models.linear import Linear
assert "sklearn" not in sys.modules
kind = Head(kind="single_label_classification", outputs=2)
problem = Problem(task="t", fields={}, inputs=("text",), labels=("a", "b"), head=kind, metric=Metric(name="accuracy"))
data = FitData(problem, Table({"text": ["good", "bad"] * 9}), np.array([0, 1] * 9), np.arange(18), np.arange(0), Path())
class Report:
    def __call__(self, *_, **__): return "go"
model = Linear()
space = model.space(Candidate("linear"), problem, 18)
model.fit(TrialSpec(1, Candidate("linear"), space.default, 0), data, Report()).program()
print(sorted({"torch", "transformers", "ray"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
