"""A scale and a shift in the last layer: in memory, in the folder, in the graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.model import Candidate, Rescales, TrialSpec
from autoft.interfaces.problem import Head
from autoft_plugins.models.contrastive import Contrastive
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear

TEXTS = Table({"text": ["good", "the screen is awful and the sound is weak", "very " * 60, ""]})
ARCHITECTURES = ("bert", "distilbert", "roberta", "deberta-v2", "electra", "albert", "xlm-roberta", "modernbert", "mpnet")
SCALE, SHIFT = np.array([0.37, 0.37]), np.zeros(2)


def spec_of(model, source, data, **changes):
    candidate = Candidate(model.name, source)
    return TrialSpec(1, candidate, model.space(candidate, data.problem, len(data.train)).default | changes, 3)


def fold_holds(model, fitted, folder, scale=SCALE, shift=SHIFT):
    """In all ways to ask: and the model that was given is as it was."""
    before = fitted.outputs(TEXTS)["logits"]
    assert isinstance(fitted, Rescales)
    folded = fitted.rescaled(scale, shift)
    expected = before * scale + shift
    np.testing.assert_allclose(folded.outputs(TEXTS)["logits"], expected, atol=1e-5)
    np.testing.assert_array_equal(fitted.outputs(TEXTS)["logits"], before)
    assert np.abs(expected - before).max() > 1e-3
    folder.mkdir()
    folded.save(folder)
    np.testing.assert_allclose(model.load(folder).outputs(TEXTS)["logits"], expected, atol=1e-5)
    if len(set(scale)) == 1 and not shift.any():
        assert (folded.outputs(TEXTS)["logits"].argmax(1) == before.argmax(1)).all()
    return folded


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_that_is_fine_tuned(architecture, tiny_source, text_data, listening, tmp_path):
    data, model = text_data(rows=20), Full()
    fitted = model.fit(spec_of(model, tiny_source(architecture), data, epochs=1, batch_size=8), data, listening())
    folded = fold_holds(model, fitted, tmp_path / "folded")
    shared = {id(one) for one in fitted.model.parameters()}
    own = [one for one in folded.model.parameters() if id(one) not in shared]
    assert sum(one.numel() for one in own) < 300, "all but the last layer is shared"


def test_the_library_gives_the_folded_answers(tiny_source, text_data, listening, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    data, model = text_data(rows=20), Full()
    fitted = model.fit(spec_of(model, tiny_source("bert"), data, epochs=1, batch_size=8), data, listening())
    folded = fold_holds(model, fitted, tmp_path / "folded")
    library, tokenizer = (kind.from_pretrained(tmp_path / "folded") for kind in (AutoModelForSequenceClassification, AutoTokenizer))
    with torch.no_grad():
        batch = tokenizer(TEXTS["text"], padding=True, truncation=True, return_tensors="pt")
        logits = library.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.numpy()
    np.testing.assert_allclose(folded.outputs(TEXTS)["logits"], logits, atol=1e-5)


def test_labels_have_a_scale_and_a_shift_each(tiny_source, text_data, listening, tmp_path):
    data = text_data(rows=40)
    head = Head(kind="multi_label_classification", outputs=2)
    problem = data.problem.model_copy(update={"task": "multi-label", "head": head})
    data = replace(data, problem=problem, targets=np.stack([data.targets, 1 - data.targets], axis=1).astype(np.int8))
    source, scale, shift = tiny_source("bert"), np.array([2.5, 0.4]), np.array([-1.0, 3.0])
    for model in (Full(), Frozen()):
        changes = {"epochs": 1, "batch_size": 8} if model.name == "full" else {}
        fitted = model.fit(spec_of(model, source, data, **changes), data, listening())
        fold_holds(model, fitted, tmp_path / model.name, scale, shift)


def test_heads_on_a_body(tiny_source, text_data, listening, tmp_path):
    data, source = text_data(rows=40), tiny_source("bert")
    for model in (Frozen(), Contrastive()):
        fitted = model.fit(spec_of(model, source, data), data, listening())
        fold_holds(model, fitted, tmp_path / model.name)


def test_n_grams(text_data, listening, tmp_path):
    data, model = text_data(rows=60), Linear()
    fold_holds(model, model.fit(spec_of(model, None, data), data, listening()), tmp_path / "linear")


def test_a_model_without_such_a_layer_says_none(tiny_source, text_data, listening):
    import torch

    data, model = text_data(rows=20), Full()
    fitted = model.fit(spec_of(model, tiny_source("bert"), data, epochs=1, batch_size=8), data, listening())
    fitted.model.classifier = torch.nn.Linear(32, 2, bias=False)
    assert fitted.rescaled(SCALE, SHIFT) is None


def test_what_writes_and_what_tags_are_no_such_models(writer):
    from autoft_plugins.models.transformer.fitted_words import FittedTagger

    assert not isinstance(writer[0], Rescales)
    assert not hasattr(FittedTagger, "rescaled")
