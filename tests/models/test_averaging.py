"""The mean of the weights of several fine-tuned models of one source."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from autoft.data.table import Table
from autoft.interfaces.model import Averages, Candidate, TrialSpec
from autoft.interfaces.problem import Head, Metric, Problem
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear
from autoft_plugins.models.transformer.fitted_words import CRF_FILE
from autoft_plugins.tasks.entities import TAGS

TEXTS = Table({"text": ["good", "the screen is awful and the sound is weak", "very " * 60, ""]})


def trained(source, data, listening, folder, seed, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    spec = TrialSpec(1, candidate, default | {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3} | changes, seed)
    fitted = Full().fit(spec, data, listening())
    folder.mkdir()
    fitted.save(folder)
    return fitted


def sentences(data):
    """Words of two kinds, and O."""
    generator = np.random.default_rng(0)
    texts, words, tags = [], [], []
    for _ in range(24):
        chosen = [data.rows["text"][int(row)].split()[0] for row in generator.integers(0, len(data.rows), 4)]
        ends = np.cumsum([len(word) + 1 for word in chosen]) - 1
        texts.append(" ".join(chosen))
        words.append(tuple((int(end) - len(word), int(end)) for word, end in zip(chosen, ends, strict=True)))
        tags.append(generator.integers(0, 2, 4))
    problem = Problem(
        task="token-classification", fields={}, inputs=("text", "words"), labels=("O", "B-a", "I-a"),
        head=Head(kind=TAGS, outputs=3), metric=Metric(name="f1"), max_length=24,
    )  # fmt: skip
    rows, places = Table({"text": texts, "words": words}), np.arange(24)
    return replace(data, problem=problem, rows=rows, targets=np.array(tags), train=places[:18], validation=places[18:])


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "mpnet"])
def test_every_weight_is_the_mean(architecture, tiny_source, text_data, listening, tmp_path):
    data, folders = text_data(rows=20), [tmp_path / str(number) for number in range(3)]
    models = [trained(tiny_source(architecture), data, listening, folder, seed, dropout=0.1 * seed) for seed, folder in enumerate(folders)]
    fitted = Full().average(folders)
    states = [model.model.state_dict() for model in models]
    for name, value in fitted.model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), np.mean([state[name].numpy() for state in states], axis=0), atol=1e-6, err_msg=name)
    assert not fitted.model.training
    answers = fitted.outputs(TEXTS)["logits"]
    (tmp_path / "mean").mkdir()
    fitted.save(tmp_path / "mean")
    np.testing.assert_allclose(Full().load(tmp_path / "mean").outputs(TEXTS)["logits"], answers, atol=1e-6)
    assert all(np.abs(answers - model.outputs(TEXTS)["logits"]).max() > 1e-3 for model in models)


def test_weights_that_are_written_under_old_names(tiny_source, text_data, listening, tmp_path):
    """The library writes a model of such a source as it found it."""
    source = tiny_source("bert")
    shutil.copytree(source.folder, tmp_path / "source")
    path = tmp_path / "source" / "model.safetensors"
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(path).items()
    }
    save_file(old, path, metadata={"format": "pt"})
    renamed, folders = replace(source, folder=tmp_path / "source", sha256="old names"), [tmp_path / str(number) for number in range(2)]
    models = [trained(renamed, text_data(rows=20), listening, folder, seed) for seed, folder in enumerate(folders)]
    assert any(name.endswith("gamma") for name in load_file(folders[0] / "model.safetensors"))
    states = [model.model.state_dict() for model in models]
    for name, value in Full().average(folders).model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), np.mean([state[name].numpy() for state in states], axis=0), atol=1e-6, err_msg=name)


def test_one_model_twice_is_itself(tiny_source, text_data, listening, tmp_path):
    fitted = trained(tiny_source("bert"), text_data(rows=20), listening, tmp_path / "one", 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    mean = Full().average([tmp_path / "one", tmp_path / "two"])
    np.testing.assert_allclose(mean.outputs(TEXTS)["logits"], fitted.outputs(TEXTS)["logits"], atol=1e-6)


def test_numbers_stay_in_the_users_units(tiny_source, text_data, listening, tmp_path):
    data = text_data(rows=24)
    problem = data.problem.model_copy(update={"labels": (), "head": Head(kind="regression", outputs=1), "metric": Metric(name="r2")})
    values = 5000.0 + 100 * np.random.default_rng(0).normal(size=24)
    folders = [tmp_path / str(number) for number in range(2)]
    for seed, folder in enumerate(folders):
        trained(tiny_source("bert"), replace(data, problem=problem, targets=values), listening, folder, seed)
    answers = Full().average(folders).outputs(TEXTS)["logits"]
    assert np.abs(answers - 5000).max() < 300


def test_written_texts(tiny_source, writing_data, listening, tmp_path):
    folders = [tmp_path / str(number) for number in range(2)]
    data = replace(writing_data, train=writing_data.train[:32], validation=writing_data.validation[:4])
    models = [trained(tiny_source("t5"), data, listening, folder, seed) for seed, folder in enumerate(folders)]
    mean = Full().average(folders).model.state_dict()
    for name, value in mean.items():
        expected = np.mean([model.model.state_dict()[name].numpy() for model in models], axis=0)
        np.testing.assert_allclose(value.numpy(), expected, atol=1e-6, err_msg=name)


def test_the_transitions_of_a_crf_are_averaged_too(tiny_source, text_data, listening, tmp_path):
    data, folders = sentences(text_data(rows=20)), [tmp_path / str(number) for number in range(2)]
    models = [trained(tiny_source("bert"), data, listening, folder, seed, crf=True) for seed, folder in enumerate(folders)]
    extra = Full().average(folders).extra()
    assert set(extra) == set(load_file(folders[0] / CRF_FILE))
    for name, array in extra.items():
        np.testing.assert_allclose(array, np.mean([model.extra()[name] for model in models], axis=0), atol=1e-6)
        assert np.abs(array - models[0].extra()[name]).max() > 0
    trained(tiny_source("bert"), data, listening, tmp_path / "plain", 1, crf=False)
    assert Full().average([folders[0], tmp_path / "plain"]) is None


def test_models_that_differ_have_no_mean(tiny_source, text_data, listening, tmp_path):
    data = text_data(rows=20)
    trained(tiny_source("bert"), data, listening, tmp_path / "bert", 1)
    trained(tiny_source("mpnet"), data, listening, tmp_path / "mpnet", 1)
    assert Full().average([tmp_path / "bert", tmp_path / "mpnet"]) is None
    three = data.problem.model_copy(update={"labels": ("a", "b", "c"), "head": Head(kind="single_label_classification", outputs=3)})
    trained(tiny_source("bert"), replace(data, problem=three), listening, tmp_path / "three", 1)
    assert Full().average([tmp_path / "bert", tmp_path / "three"]) is None
    shutil.copytree(tmp_path / "bert", tmp_path / "shorter")
    encoder = json.loads((tmp_path / "shorter" / "encoder.json").read_text())
    encoder["config"]["max_length"] = 7
    (tmp_path / "shorter" / "encoder.json").write_text(json.dumps(encoder))
    assert Full().average([tmp_path / "bert", tmp_path / "shorter"]) is None


def test_who_has_a_mean():
    assert isinstance(Full(), Averages)
    assert not isinstance(Frozen(), Averages)
    assert not isinstance(Linear(), Averages)
