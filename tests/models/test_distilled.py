"""A model that learns from another one's answers, and one made of its layers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, Distils, FitData, Limits, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft_plugins.models.distilled import Distilled
from autoft_plugins.models.full import Full
from autoft_plugins.tasks.entities import TAGS

LIMITS = Limits(memory=8 << 30, threads=1, gpus=0, seconds=None, flops=1e11)
LOUD = 6.0
"""The logit of a teacher that is sure."""
THINGS = ("phone", "case", "sound", "screen", "cable")


def spec_of(source, data, **changes):
    model, candidate = Distilled(), Candidate("distilled", source)
    default = model.space(candidate, data.problem, len(data.train)).default
    quick = {"epochs": 24, "learning_rate": 3e-3, "batch_size": 8, "dropout": 0.0}
    return TrialSpec(1, candidate, default | quick | changes, 3)


def of_kind(data: FitData, kind: str) -> tuple[FitData, np.ndarray]:
    """Labels that say nothing, and a teacher that tells praise from blame."""
    codes, rows = data.targets, len(data.rows)
    if kind == "single_label_classification":
        return replace(data, targets=np.zeros(rows, np.int64)), LOUD * np.stack([1.0 - 2 * codes, 2.0 * codes - 1], axis=1)
    if kind == "multi_label_classification":
        change = {"task": "multi-label", "head": Head(kind=kind, outputs=2)}
        made = replace(data, targets=np.zeros((rows, 2), np.int8), problem=data.problem.model_copy(update=change))
        return made, LOUD * np.stack([2.0 * codes - 1, 1.0 - 2 * codes], axis=1)
    change = {"task": "text-regression", "labels": (), "head": Head(kind=kind, outputs=1), "metric": Metric(name="r2"), "extra": {}}
    noise = np.random.default_rng(0).normal(1000.0, 50.0, rows).astype(np.float32)
    return replace(data, targets=noise, problem=data.problem.model_copy(update=change)), (1000.0 + 50.0 * (2 * codes - 1))[:, None]


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification", "regression"])
def test_it_learns_what_only_the_teacher_knows(kind, tiny_source, text_data, listening):
    held = np.arange(160) % 5 == 3  # of both kinds
    plain = replace(text_data(rows=160), train=np.flatnonzero(~held), validation=np.flatnonzero(held))
    assert 0.3 < plain.targets[held].mean() < 0.7
    data, teacher = of_kind(plain, kind)
    teacher = teacher.astype(np.float32)
    teacher[data.validation] = np.nan
    report = listening()
    fitted = Distilled().fit(spec_of(tiny_source("bert"), data, teacher_share=1.0), replace(data, teacher=teacher), report)
    logits, truth = fitted.outputs(data.rows.take(data.validation))["logits"], plain.targets[data.validation]
    if kind == "regression":
        assert np.corrcoef(logits[:, 0], truth)[0, 1] > 0.9
        assert 900 < logits.mean() < 1100
    elif kind == "multi_label_classification":
        assert ((logits > 0) == np.stack([truth, 1 - truth], axis=1)).mean() > 0.9
    else:
        assert (logits.argmax(1) == truth).mean() > 0.9
    assert np.isfinite(report.measures[-1]["train_loss"])


def test_rows_that_the_teacher_was_not_asked_about_are_learned_from_their_labels(tiny_source, text_data, listening):
    """Not a single nan reaches the weights, and a teacher that was asked about nothing changes nothing."""
    data, source = text_data(rows=24), tiny_source("bert")
    silent = np.full((24, 2), np.nan, np.float32)
    chosen = {"epochs": 2, "teacher_share": 0.9}
    one = Distilled().fit(spec_of(source, data, **chosen), replace(data, teacher=silent), listening())
    spec = spec_of(source, data, **chosen)
    own = {name: value for name, value in spec.hyperparameters.items() if not name.startswith("teacher")}
    other = Full().fit(replace(spec, candidate=Candidate("full", source), hyperparameters=own), data, listening())
    np.testing.assert_array_equal(one.outputs(data.rows)["logits"], other.outputs(data.rows)["logits"])
    half = silent.copy()
    half[::2] = 0.0
    mixed = Distilled().fit(spec_of(source, data, **chosen), replace(data, teacher=half), listening())
    assert np.isfinite(mixed.outputs(data.rows)["logits"]).all()
    assert np.abs(mixed.outputs(data.rows)["logits"] - one.outputs(data.rows)["logits"]).max() > 1e-3


def test_a_temperature_softens_both_and_keeps_the_size_of_the_gradients():
    import torch

    from autoft_plugins.models.transformer.objectives.teaching import Teaching

    ours, theirs = torch.tensor([[1.0, -1.0, 0.5]], requires_grad=True), torch.tensor([[2.0, 0.0, -1.0]])
    teaching = Teaching(np.zeros((1, 3), np.float32), 4.0, 0.25)
    loss = teaching.classes(ours, theirs)
    p, q = (torch.softmax(values / 4.0, -1) for values in (theirs, ours))
    assert loss.item() == pytest.approx(16 * (p * (p / q).log()).sum().item(), rel=1e-5)
    loss.sum().backward()
    torch.testing.assert_close(ours.grad, 4 * (q - p).detach())
    assert teaching.classes(theirs, theirs).item() == pytest.approx(0.0, abs=1e-6)
    assert teaching.mixed(torch.tensor([8.0]), torch.tensor([4.0])).item() == pytest.approx(7.0)
    one = teaching.labels(torch.tensor([[1.0]]), torch.tensor([[-1.0]])).item()
    a, b = 1 / (1 + np.exp(0.25)), 1 / (1 + np.exp(-0.25))
    assert one == pytest.approx(16 * (a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))), rel=1e-4)


@pytest.fixture
def tagged(tmp_path) -> tuple[FitData, np.ndarray]:
    """Words of which things are entities, tags that say O of all, and the truth; every fifth text is longer than a window."""
    generator = np.random.default_rng(7)
    rows = 60
    texts = [list(generator.choice([*THINGS, "the", "is", "was", "very", "so"], 40 if row % 5 == 1 else 5)) for row in range(rows)]
    spans = [tuple((sum(map(len, words[:i])) + i, sum(map(len, words[: i + 1])) + i) for i in range(len(words))) for words in texts]
    most = max(map(len, texts))
    targets, truth = np.full((rows, most), -1, np.int64), np.full((rows, most), -1, np.int64)
    for row, words in enumerate(texts):
        targets[row, : len(words)] = 0
        truth[row, : len(words)] = [int(word in THINGS) for word in words]
    problem = Problem(
        task="token-classification",
        fields={"text": ("tokens",), "label": ("tags",)},
        inputs=("text",),
        labels=("O", "B-THING", "I-THING"),
        head=Head(kind=TAGS, outputs=3),
        metric=Metric(name="f1"),
        max_length=16,
        language="en",
    )
    places = np.arange(rows)
    table = Table({"text": [" ".join(words) for words in texts], "words": spans})
    held = places % 4 == 3
    return FitData(problem, table, targets, places[~held], places[held], tmp_path / "cache"), truth


def test_it_learns_tags_from_the_teacher(tagged, tiny_source, listening):
    data, truth = tagged
    asked = 40
    teacher = np.full((len(truth), truth.shape[1], 3), np.nan, np.float32)
    teacher[data.train] = LOUD * (np.maximum(truth[data.train], 0)[:, :, None] == np.arange(3))
    fitted = Distilled().fit(spec_of(tiny_source("bert"), data, teacher_share=1.0), replace(data, teacher=teacher[:, :asked]), listening())
    found = fitted.outputs(data.rows.take(data.validation))["logits"].argmax(2)
    known = truth[data.validation][:, : found.shape[1]]
    assert (found[known >= 0] == known[known >= 0]).mean() > 0.95
    spec = spec_of(tiny_source("bert"), data, crf=True)
    with pytest.raises(TrialError, match="a CRF learns from tags only"):
        Distilled().fit(spec, replace(data, teacher=teacher), listening())


def test_what_cannot_be_taught_is_refused(tiny_source, text_data, writing_data, listening):
    data, source = text_data(rows=20), tiny_source("bert")
    assert isinstance(Distilled(), Distils)
    assert not isinstance(Full(), Distils)
    with pytest.raises(TrialError, match="has no teacher"):
        Distilled().fit(spec_of(source, data), data, listening())
    candidate = Candidate("full", source)
    spec = TrialSpec(1, candidate, Full().space(candidate, data.problem, 20).default, 1)
    with pytest.raises(TrialError, match="full learns from labels only and cannot follow a teacher"):
        Full().fit(spec, replace(data, teacher=np.zeros((20, 2), np.float32)), listening())
    assert Distilled().students(writing_data.problem, [tiny_source("t5")], LIMITS, writing_data.rows) == []
    assert Distilled().candidates(data.problem, [source], LIMITS, data.rows) == []
    (student,) = Distilled().students(data.problem, [source], LIMITS, data.rows)
    assert (student.name, student.proposed) == ("distilled:tiny-bert", True)
    assert student.flops > 0


def test_its_space_has_no_crf_and_numbers_no_temperature(tiny_source, text_data, tagged):
    candidate, problem = Candidate("distilled", tiny_source("bert")), text_data(rows=20).problem
    space = Distilled().space(candidate, problem, 100)
    assert space.default["epochs"] == space.parameters["epochs"].high
    assert {"teacher_share", "teacher_temperature"} <= set(space.parameters)
    assert all(set(point) == set(space.parameters) for point in (space.default, *space.first))
    assert "crf" not in Distilled().space(candidate, tagged[0].problem, 100).parameters
    numbers = problem.model_copy(update={"head": Head(kind="regression", outputs=1), "labels": ()})
    assert "teacher_temperature" not in Distilled().space(candidate, numbers, 100).parameters


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "deberta-v2", "electra", "mpnet"])
def test_the_upper_layer_stays(architecture, tiny_source, text_data, listening, tmp_path):
    from safetensors.numpy import load_file

    data, source = text_data(rows=20), tiny_source(architecture)
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, 16).default | {"epochs": 1}
    Full().fit(TrialSpec(1, candidate, default, 3), data, listening()).save(_made(tmp_path / "model"))
    short = Distilled().shortened(tmp_path / "model", source, 1, tmp_path / "short")
    before, after = load_file(tmp_path / "model" / "model.safetensors"), load_file(short.folder / "model.safetensors")
    upper = {name: name.replace("layer.1.", "layer.0.") for name in before if "layer.1." in name}
    assert upper
    assert set(after) == set(upper.values()) | {name for name in before if "layer." not in name}
    for name, renamed in upper.items():
        np.testing.assert_array_equal(after[renamed], before[name])
    assert short.parameters == sum(value.size for value in after.values()) < sum(value.size for value in before.values())
    assert (short.name, short.licence, short.languages) == (f"tiny-{architecture}-layers-1", source.licence, source.languages)
    (student,) = Distilled().students(data.problem, [short], LIMITS, data.rows)
    assert student.proposed, student.reason
    teacher = np.zeros((20, 2), np.float32)
    fitted = Distilled().fit(spec_of(short, data, epochs=1), replace(data, teacher=teacher), listening())
    assert (getattr(fitted.model.config, "n_layers", None) or fitted.model.config.num_hidden_layers) == 1
    assert np.isfinite(fitted.outputs(data.rows)["logits"]).all()


def test_the_scale_of_numbers_does_not_stay(tiny_source, text_data, listening, tmp_path):
    from safetensors.numpy import load_file

    data, _ = of_kind(text_data(rows=20), "regression")
    source = tiny_source("bert")
    candidate = Candidate("full", source)
    Full().fit(TrialSpec(1, candidate, Full().space(candidate, data.problem, 16).default | {"epochs": 1}, 3), data, listening()).save(
        _made(tmp_path / "model")
    )
    short = Distilled().shortened(tmp_path / "model", source, 1, tmp_path / "short")
    assert "classifier.weight" in load_file(tmp_path / "model" / "model.safetensors")
    assert not any(name.startswith("classifier") for name in load_file(short.folder / "model.safetensors"))


def test_layers_of_the_source_itself(tiny_source, tmp_path):
    short = Distilled().shortened(tiny_source("bert").folder, tiny_source("bert"), 1, tmp_path / "short")
    assert json.loads((short.folder / "config.json").read_text())["num_hidden_layers"] == 1
    assert (short.folder / "tokenizer.json").exists()


@pytest.mark.parametrize(("architecture", "layers", "said"), [
    ("albert", 1, "layers of albert cannot be left out"),
    ("modernbert", 1, "layers of modernbert cannot be left out"),
    ("bert", 2, "of the 2 layers of tiny-bert, 2 cannot be kept"),
])  # fmt: skip
def test_layers_that_cannot_be_left_out(architecture, layers, said, tiny_source, tmp_path):
    source = tiny_source(architecture)
    with pytest.raises(TrialError, match=said):
        Distilled().shortened(source.folder, source, layers, tmp_path / "short")
    assert not (tmp_path / "short").exists()


def _made(folder):
    folder.mkdir()
    return folder
