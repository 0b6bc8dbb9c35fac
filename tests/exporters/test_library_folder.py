"""`--to transformers`: the run's model in a folder that the library loads, proved against the bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from autoft.errors import ExportError
from autoft.interfaces.packager import BundleFacts
from autoft_exporters.library_folder import Transformers

_kept = {}


@pytest.fixture
def exported(exported_full):
    """Exported once for all tests of this file."""
    if "bert" not in _kept:
        _kept["bert"] = exported_full("bert")
    return _kept["bert"]


@pytest.fixture
def run(exported, tmp_path) -> Path:
    """A run's folder: the bundle, and the model that it was made of."""
    shutil.copytree(exported.folder, tmp_path / "run" / "bundle")
    (tmp_path / "run" / "model").mkdir()
    exported.fitted.save(tmp_path / "run" / "model")
    (tmp_path / "run" / "bundle" / "config.json").write_text(json.dumps(dict(exported.program.config)))
    (tmp_path / "run" / "bundle" / "README.md").write_text("# a model card\n")
    return tmp_path / "run"


def package(run: Path, folder: Path):
    folder.mkdir()
    facts = BundleFacts(run / "bundle", "0" * 64, "text-classification", "full:tiny-bert", "0.1", {}, ("onnx/model.onnx",), {})
    return Transformers().package(facts, folder)


def test_the_library_loads_it_and_answers_as_the_bundle(run, exported, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    made = package(run, tmp_path / "transformers")
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(made.files)
    assert not {"encoder.json", "head.json"} & set(made.files)
    assert "BertForSequenceClassification.from_pretrained" in made.next_steps[0]
    assert (tmp_path / "transformers" / "README.md").read_text() == "# a model card\n"
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "transformers").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "transformers")
    with torch.no_grad():
        given = model(**tokenizer(list(exported.rows["text"][:4]), padding=True, truncation=True, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(given, exported.fitted.outputs(exported.rows.take(range(4)))["logits"], atol=1e-4)


def test_what_is_not_the_bundles_is_refused(run, tmp_path):
    from safetensors.numpy import load_file, save_file

    path = run / "model" / "model.safetensors"
    before = path.read_bytes()
    weights = load_file(path)
    save_file({**weights, "classifier.bias": weights["classifier.bias"] + 0.01}, path, metadata={"format": "pt"})
    with pytest.raises(ExportError, match="answers otherwise than the bundle: its logits are off by"):
        package(run, tmp_path / "one")
    path.write_bytes(before)
    tokenizer = json.loads((run / "model" / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (run / "model" / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ExportError, match="tokenizer reads 'An example"):
        package(run, tmp_path / "two")
    (run / "model" / "config.json").write_text("{}")
    with pytest.raises(ExportError, match="transformers cannot load this model: it is no model of transformers"):
        package(run, tmp_path / "three")
    (run / "model" / "config.json").write_text(json.dumps({"architectures": ["BertModel"]}))
    with pytest.raises(ExportError, match="its head is none of BertModel, but autoft's own"):
        package(run, tmp_path / "four")
    shutil.rmtree(run / "model")
    with pytest.raises(ExportError, match="is gone, which has the weights"):
        package(run, tmp_path / "five")


def test_there_has_to_be_a_graph_to_prove_it_by(run, tmp_path):
    (run / "bundle" / "onnx" / "model.onnx").unlink()
    with pytest.raises(ExportError, match="no single graph in full precision"):
        package(run, tmp_path / "one")


def test_without_the_library_it_says_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.setattr("autoft_exporters.library_folder.find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ExportError, match="torch is not installed"):
        package(run, tmp_path / "one")
