"""`linear` on labels, numbers, pairs and words: it learns, is saved and loaded, and its export passes the proof."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Limits, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.proof import prove
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders import ENCODERS
from autoft_plugins.models.linear import Linear
from autoft_plugins.models.linear.features import matrix_of
from autoft_plugins.tasks import TASKS

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
THINGS = ["phone", "screen", "cable", "camera", "case", "sound", "battery", "lens"]
GOOD, BAD = ["great", "fine", "superb", "lovely"], ["awful", "weak", "broken", "poor"]
ROWS = 120


def problem_of(task: str, kind: str, outputs: int, labels: tuple[str, ...] = (), inputs: tuple[str, ...] = ("text",)) -> Problem:
    metric = next(item for item in TASKS if item.name == task).metrics[0]
    fields = {role: (role,) for role in (*inputs, "label")}
    head = Head(kind=kind, outputs=outputs)
    return Problem(task=task, fields=fields, inputs=inputs, labels=labels, head=head, metric=Metric(name=metric))


def data_of(problem: Problem, columns: dict[str, list[Any]], targets: Any, folder: Any) -> FitData:
    places = np.arange(len(targets))
    held = places % 4 == 3
    return FitData(problem, Table(columns), np.asarray(targets), places[~held], places[held], folder / "cache")


def labels_data(folder):
    """What is named, any number of three things; the fourth label stands on no row and the fifth on all."""
    generator = np.random.default_rng(1)
    named = generator.random((ROWS, 3)) < 0.4
    texts = [" and ".join(["it", *np.array(THINGS[:3])[row], THINGS[3 + k % 5]]) for k, row in enumerate(named)]
    targets = np.column_stack([named, np.zeros(ROWS), np.ones(ROWS)]).astype(np.int8)
    problem = problem_of("multi-label", "multi_label_classification", 5, (*THINGS[:3], "never", "always"))
    return data_of(problem, {"text": texts}, targets, folder)


def scores_data(folder, scale=1.0):
    """How good: each word adds or takes one, around 100."""
    generator = np.random.default_rng(2)
    texts, targets = [], []
    for _ in range(ROWS):
        signs = generator.random(4) < 0.5
        texts.append(" ".join(str(generator.choice(GOOD if sign else BAD)) for sign in signs))
        targets.append(scale * (100 + 2 * signs.sum() - 4))
    return data_of(problem_of("text-regression", "regression", 1), {"text": texts}, np.array(targets, np.float32), folder)


def pairs_data(folder):
    """Whether both texts name the same thing: no word of either text tells."""
    generator = np.random.default_rng(3)
    first, second, targets = [], [], []
    for _ in range(ROWS):
        one, two = generator.choice(THINGS, 2, replace=False)
        same = int(generator.random() < 0.5)
        first.append(f"the {one} is {generator.choice(GOOD)}")
        second.append(f"a {one if same else two} was {generator.choice(BAD)}")
        targets.append(same)
    problem = problem_of("pair-classification", "single_label_classification", 2, ("other", "same"), ("text", "text_pair"))
    return data_of(problem, {"text": first, "text_pair": second}, targets, folder)


def words_data(folder):
    """A thing after `my` is tagged, with the word after it where that is `set`. The second row has no words."""
    generator = np.random.default_rng(4)
    texts, spans, targets = [], [], np.full((ROWS, 9), -1, np.int16)
    for row in range(ROWS):
        thing, other = generator.choice(THINGS, 2)
        words = [] if row == 1 else ["the", str(other), "and", "my", str(thing), *(["set"] if row % 3 else []), "works", "."]
        texts.append(" ".join(words))
        starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
        spans.append([(start, start + len(word)) for start, word in zip(starts, words, strict=False)])
        targets[row, : len(words)] = 0
        targets[row, 4] = 1 if words else -1
        if row % 3 and words:
            targets[row, 5] = 2
    problem = problem_of("token-classification", "token_classification", 3, ("O", "B-thing", "I-thing"))
    return data_of(problem, {"text": texts, "words": spans}, targets, folder)


KINDS = {"labels": labels_data, "scores": scores_data, "pairs": pairs_data, "words": words_data}


@pytest.fixture(params=KINDS)
def data(request, tmp_path):
    return KINDS[request.param](tmp_path)


def spec_of(data, **changes):
    default = Linear().space(Candidate("linear"), data.problem, len(data.train)).default
    return TrialSpec(1, Candidate("linear"), default | changes, 3)


def fitted_on(data, report, **changes):
    return Linear().fit(spec_of(data, **changes), data, report)


def test_each_has_one_candidate_and_a_space_that_holds_its_points(data):
    (candidate,) = Linear().candidates(data.problem, [], LIMITS, data.rows)
    assert candidate.proposed
    space = Linear().space(candidate, data.problem, 90)
    assert set(space.parameters) == set(space.default)
    assert space.first


def test_it_learns(data, listening):
    report = listening()
    fitted_on(data, report)
    (outputs,) = report.outputs
    task = next(item for item in TASKS if item.name == data.problem.task)
    targets = data.targets[data.validation]
    decoder = task.fit_decoder(data.problem, outputs, targets)
    metrics = task.score(data.problem, targets, task.decide(data.problem, decoder, outputs))
    least = {"multi-label": 0.75, "text-regression": 0.9}.get(data.problem.task, 0.95)
    assert metrics[data.problem.metric.name] > least


def test_saved_and_loaded_gives_the_same_answers(data, listening, tmp_path):
    fitted = fitted_on(data, listening())
    folder = tmp_path / "model"
    folder.mkdir()
    fitted.save(folder)
    again = Linear().load(folder)
    assert again.labels == data.problem.labels
    np.testing.assert_array_equal(again.outputs(data.rows)["logits"], fitted.outputs(data.rows)["logits"])
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == data.problem.head.kind
    assert len(config["id2label"]) == data.problem.head.outputs
    nothing = fitted.outputs(data.rows.take([]))["logits"]
    assert nothing.shape[0] == 0
    assert nothing.shape[-1] == data.problem.head.outputs


def test_the_export_passes_the_proof(data, listening, tmp_path):
    fitted = fitted_on(data, listening())
    program = fitted.program()
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name, content in program.encoder.files.items():
        (folder / name).write_bytes(content)
    OnnxFp32().export(program, data.problem, folder)
    encoder = next(item for item in ENCODERS if item.name == program.encoder.name)
    encoding = encoder.open(folder, json.loads(json.dumps(program.encoder.config)))
    task = next(item for item in TASKS if item.name == data.problem.task)
    proof = prove(fitted, OnnxFp32().open(folder, 1), encoding, task, data.problem, data.rows)
    assert proof.passed, proof.reasons
    assert proof.rows == ROWS
    assert proof.changed_labels == 0


def test_a_label_on_no_row_is_never_given_and_one_on_all_always(tmp_path, listening):
    data = labels_data(tmp_path)
    logits = fitted_on(data, listening()).outputs(Table({"text": ["phone screen cable", "", "unheard"]}))["logits"]
    np.testing.assert_array_equal(logits[:, 3], -20)
    np.testing.assert_array_equal(logits[:, 4], 20)


def test_labels_are_as_scikit_learn_gives_them(tmp_path, listening):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    data = labels_data(tmp_path)
    fitted = fitted_on(data, listening(), C=2.0, class_weight="balanced")
    matrix = matrix_of(fitted.encoding, data.rows)
    learner = OneVsRestClassifier(LogisticRegression(C=2.0, class_weight="balanced", tol=1e-3, max_iter=300))
    learner.fit(matrix[data.train], data.targets[data.train, :3])
    np.testing.assert_allclose(fitted.outputs(data.rows)["logits"][:, :3], learner.decision_function(matrix), atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 100.0])
def test_scores_are_ridge_regressions_in_the_units_of_the_targets(scale, tmp_path, listening):
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    data = scores_data(tmp_path, scale)
    fitted = fitted_on(data, listening(), alpha=1.0)
    matrix, targets = matrix_of(fitted.encoding, data.rows), data.targets.astype(np.float64)[:, None]
    scaler = StandardScaler().fit(targets[data.train])
    ridge = Ridge(alpha=1.0, solver="cholesky").fit(matrix[data.train].toarray(), scaler.transform(targets[data.train]))
    expected = scaler.inverse_transform(ridge.predict(matrix.toarray()).reshape(-1, 1))
    np.testing.assert_allclose(fitted.outputs(data.rows)["logits"], expected, atol=5e-3 * scale)


def test_tags_are_those_of_scikit_learn(tmp_path, listening):
    from scipy.special import log_softmax
    from sklearn.linear_model import LogisticRegression

    data = words_data(tmp_path)
    fitted = fitted_on(data, listening(), C=1.0)
    train = data.rows.take(data.train)
    flat = data.targets[data.train]
    learner = LogisticRegression(C=1.0, tol=1e-4, max_iter=300).fit(matrix_of(fitted.encoding, train), flat[flat >= 0])
    logits = fitted.outputs(train)["logits"][flat[:, :8] >= 0]
    np.testing.assert_allclose(log_softmax(logits, axis=1), learner.predict_log_proba(matrix_of(fitted.encoding, train)), atol=1e-4)


def test_words_without_a_tag_are_not_learned_from(tmp_path, listening):
    data = words_data(tmp_path)
    targets = data.targets.copy()
    targets[::2, 4:6] = -1
    logits = fitted_on(replace(data, targets=targets), listening()).outputs(data.rows)["logits"]
    assert (np.delete(logits, 1, axis=0)[:, 4].argmax(-1) == 1).all()


def test_rows_of_words_may_be_empty_and_longer_than_any_seen(tmp_path, listening):
    fitted = fitted_on(words_data(tmp_path), listening())
    rows = Table({"text": ["", "my phone " * 20], "words": [[], [(k * 9 + a, k * 9 + b) for k in range(20) for a, b in ((0, 2), (3, 8))]]})
    logits = fitted.outputs(rows)["logits"]
    assert logits.shape == (2, 40, 3)
    assert not logits[0].any()
    assert logits[1].any(axis=-1).all()
    assert fitted.outputs(rows.take([0]))["logits"].shape == (1, 0, 3)


def test_pairs_are_learned_for_labels_and_numbers_too(tmp_path, listening):
    data, report = pairs_data(tmp_path), listening()
    same = data.targets
    several = data.problem.model_copy(update={"head": Head(kind="multi_label_classification", outputs=2)})
    fitted_on(replace(data, problem=several, targets=np.column_stack([same, 1 - same]).astype(np.int8)), report)
    score = data.problem.model_copy(update={"labels": (), "head": Head(kind="regression", outputs=1)})
    fitted_on(replace(data, problem=score, targets=(50 + 10 * same).astype(np.float32)), report)
    labels, numbers = (outputs["logits"] for outputs in report.outputs)
    held = same[data.validation]
    assert ((labels[:, 0] > 0) == held).mean() > 0.9
    assert ((numbers[:, 0] > 55) == held).mean() > 0.9


def test_row_weights_count(data, listening):
    kind, last = data.problem.head.kind, data.targets.reshape(len(data.targets), -1)
    heavy = {"multi_label_classification": last[:, 0], "regression": last[:, 0] > 100, "token_classification": np.arange(ROWS) % 3 == 0}
    weights = np.where(heavy.get(kind, last[:, 0]), 30.0, 1.0)
    plain, weighted = (fitted_on(each, listening()).outputs(data.rows)["logits"] for each in (data, replace(data, weights=weights)))
    if kind == "token_classification":
        assert weighted[..., 2].mean() < plain[..., 2].mean()  # the rows without `set` weigh more
    else:
        last_of = (..., 0) if kind != "single_label_classification" else (..., 1)
        assert weighted[last_of].mean() > plain[last_of].mean()


def test_what_cannot_be_learned_ends_the_trial(tmp_path, listening):
    labels, scores, words = labels_data(tmp_path), scores_data(tmp_path), words_data(tmp_path)
    with pytest.raises(TrialError, match="every label stands on all or on none"):
        fitted_on(replace(labels, targets=labels.targets * np.array([0, 0, 0, 0, 1], np.int8)), listening())
    with pytest.raises(TrialError, match="have the score 7"):
        fitted_on(replace(scores, targets=np.full(ROWS, 7, np.float32)), listening())
    with pytest.raises(TrialError, match="one class"):
        fitted_on(replace(words, targets=np.minimum(words.targets, 0)), listening())
    with pytest.raises(TrialError, match="8 words, but tags for 3"):
        fitted_on(replace(words, targets=words.targets[:, :3]), listening())
    for data in (labels, words, pairs_data(tmp_path)):
        empty = {name: [[] if name == "words" else ""] * ROWS for name in data.rows.names}
        with pytest.raises(TrialError, match="nothing to learn from"):
            fitted_on(replace(data, rows=Table(empty)), listening())
