"""Every kind of head of one answer a row, and pairs: exported and proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.interfaces.model import Candidate, TrialSpec
from autoft.interfaces.problem import Head, Metric
from autoft_plugins.models.contrastive import Contrastive
from autoft_plugins.models.full import Full


@pytest.fixture
def export_of(tiny_source, text_data, listening, export_bundle, tmp_path):
    """Some steps of training for a task, saved, loaded and exported."""

    def make(task, architecture):
        import torch

        data, model = text_data(rows=40), Full()
        change = {"task": task}
        if task == "pair-score":
            second = [" ".join(reversed(text.split()[:9])) for text in data.rows["text"]]
            data = replace(data, rows=Table({**data.rows.columns, "text_pair": second}))
            change["inputs"] = ("text", "text_pair")
            data = replace(data, targets=(250_000 + 40_000 * data.targets).astype(np.float32))
            change |= {"labels": (), "head": Head(kind="regression", outputs=1), "metric": Metric(name="r2")}
        else:
            data = replace(data, targets=np.stack([data.targets, 1 - data.targets, data.targets * 0], axis=1).astype(np.int8))
            change |= {"labels": ("a", "b", "c"), "head": Head(kind="multi_label_classification", outputs=3)}
        data = replace(data, problem=data.problem.model_copy(update=change))
        candidate = Candidate("full", tiny_source(architecture))
        chosen = {**model.space(candidate, data.problem, 30).default, "batch_size": 16, "head_rate": 1}
        fitted = model.fit(TrialSpec(1, candidate, chosen, 7), data, listening(stop_after=2))
        with torch.no_grad():
            for weight in fitted.model.base_model.parameters():
                if weight.dim() > 1:
                    weight.mul_(6.0)  # as drawn, all rows get nearly the same answer, and so would a wrong export
        (tmp_path / "saved").mkdir()
        fitted.save(tmp_path / "saved")
        return export_bundle(model.load(tmp_path / "saved"), data, tmp_path / "bundle")

    return make


def proved(exported):
    proof = exported.prove()
    assert proof.passed, proof.reasons
    assert len(proof.combinations) >= 12
    assert proof.rows == len(exported.rows)
    assert proof.changed_labels == 0
    assert max(c.length for c in proof.combinations) == 24
    assert exported.program.config["problem_type"] == exported.problem.head.kind
    return proof


def test_several_labels_are_proved(export_of):
    exported = export_of("multi-label", "distilbert")
    assert [tensor.name for tensor in exported.program.parts[0].inputs] == ["input_ids", "attention_mask"]
    assert proved(exported).tolerance == 1e-4
    stale = replace(exported, fitted=exported.fitted.rescaled(np.array([1.0, 0.5, 1.0]), np.array([0.0, 0.1, 0.0]))).prove()
    assert "the logits of 'b' are 2 times those of the fitted model - 0.2: a stale temperature or scale?" in stale.reasons[-1]


def test_numbers_for_pairs_are_proved_in_their_own_units_and_mistaken_texts_are_refused(export_of):
    exported = export_of("pair-score", "bert")
    outputs = exported.fitted.outputs(exported.rows)["logits"]
    assert abs(outputs.mean() - 270_000) < 40_000
    assert outputs.std() > 50
    proof = proved(exported)
    assert proof.max_difference < proof.tolerance < 1e-4 * (outputs.std() + 0.02 * outputs.max())

    class Mistaken:
        def run(self, arrays):
            return exported.session().run({**arrays, "token_type_ids": np.zeros_like(arrays["token_type_ids"])})

    refused = exported.prove(session=Mistaken())
    assert not refused.passed
    assert refused.max_difference > refused.tolerance

    stale = replace(exported, fitted=exported.fitted.rescaled(np.array([0.5]), np.array([1000.0]))).prove()
    assert "the logits are 2 times those of the fitted model - " in stale.reasons[0]
    assert "a stale temperature or scale?" in stale.reasons[0]


def test_a_head_on_a_body_that_learned_by_comparison_is_proved(tiny_source, text_data, listening, export_bundle, tmp_path):
    from autoft_plugins.models.transformer.bodies import StoredBody
    from autoft_plugins.models.transformer.linear_head import FittedHead

    data, model, source = text_data(rows=40), Contrastive(), tiny_source("mpnet")
    candidate = Candidate("contrastive", source)
    chosen = {**model.space(candidate, data.problem, 30).default, "learning_rate": 3e-3, "epochs": 3}
    model.fit(TrialSpec(1, candidate, chosen, 7), data, listening()).save(tmp_path)
    loaded = model.load(tmp_path)
    exported = export_bundle(loaded, data, tmp_path / "bundle")
    proof = proved(exported)
    untrained = FittedHead(StoredBody(source.folder), loaded.head, loaded.encoder, data.problem.head.kind, data.problem.labels)
    refused = replace(exported, fitted=untrained).prove()
    assert not refused.passed
    assert refused.max_difference > 100 * proof.tolerance
