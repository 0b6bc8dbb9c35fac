"""Lower layers that are left as they were: nothing below is learned, all above is, and the work is counted for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from autoft.interfaces.model import Candidate, TrialSpec
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer import loading
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.freezing import LowerLayers
from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective
from autoft_plugins.models.transformer.proposals import fine_tuning
from autoft_plugins.models.transformer.spaces import full_space

ARCHITECTURES = ["bert", "distilbert", "roberta", "deberta-v2", "electra", "xlm-roberta", "modernbert", "mpnet"]


def fit(source, data, report, **changes):
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    return Full().fit(TrialSpec(1, candidate, default | {"epochs": 1, "batch_size": 8} | changes, 3), data, report)


def start(source):
    return loading.pretrained(source, SequenceObjective.auto_class, {"num_labels": 2}, 0.0, 3).model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_what_lies_above_learns(architecture, tiny_source, text_data, listening):
    source = tiny_source(architecture)
    model = fit(source, text_data(rows=20), listening(), learning_rate=1e-2, frozen_share=0.5).model
    before = dict(start(source).named_parameters())
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    second = [name for name in before if ".1." in name and "layer" in name]
    below = {name for name in before if "embed" in name or "layer.0." in name or "layers.0." in name}
    assert second
    assert below
    assert not moved & below
    assert {name for name in before if "weight" in name and (name in second or "final_norm" in name)} <= moved
    assert any("classifier" in name for name in moved)
    assert all(value.requires_grad for value in model.parameters()), "whoever trains it further may"


def test_a_share_of_nothing_leaves_all_learning(tiny_source, text_data, listening):
    source = tiny_source("bert")
    model = fit(source, text_data(rows=20), listening(), learning_rate=1e-2, frozen_share=0.0).model
    before = dict(start(source).named_parameters())
    assert not torch.equal(model.bert.encoder.layer[0].output.dense.weight, before["bert.encoder.layer.0.output.dense.weight"])


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "mpnet"])
def test_operations_of_a_step_are_those_that_torch_counts(architecture, tiny_source):
    source, length = tiny_source(architecture), 16
    model, shape = start(source), anatomy(source)
    model.set_attn_implementation("eager")
    lengths = np.array([length])

    def step() -> int:
        model.zero_grad()
        with FlopCounterMode(display=False) as counter:
            model(input_ids=torch.full((1, length), 5)).logits.sum().backward()
        return counter.get_total_flops()

    whole = step()
    lower = LowerLayers(model, 0.5)
    assert lower.count == 1
    saved = whole - step()
    lower.release()
    assert step() == whole
    spared = 2 * shape.layer_flops(lengths)[0]
    assert spared < saved < 1.25 * spared, "and the lowest layer that learns needs no gradient of what it reads"


def test_a_trial_reports_the_operations_it_made(tiny_source, text_data, listening):
    source, data = tiny_source("bert"), text_data(rows=40)
    counted = []
    for share in (0.0, 0.5):
        report = listening()
        fit(source, data, report, epochs=3, frozen_share=share)
        counted.append([measures["flops_per_second"] / measures["tokens_per_second"] for measures in report.measures])
    shape = anatomy(source)
    lengths = np.array([min(data.problem.max_length, 2 + len(data.rows["text"][row].split())) for row in data.train])
    spared = 2 * shape.layer_flops(lengths).sum() / lengths.sum()
    assert np.subtract(*counted) == pytest.approx([spared] * 3)


def test_the_space_of_a_large_source_has_it_and_a_trial_is_expected_to_take_less(tiny_source, text_data):
    problem, shape = text_data(rows=40).problem, anatomy(tiny_source("bert"))
    large = full_space(8.5e7, problem, 400, freezes=True)
    assert large.default["frozen_share"] == 0.5
    assert large.default["learning_rate"] == 2 * full_space(8.5e7, problem, 400).default["learning_rate"]
    assert any(point["frozen_share"] == 0 for point in large.first)
    for space in (full_space(8.5e7, problem, 400), full_space(1e7, problem, 400, freezes=True)):
        assert "frozen_share" not in space.parameters
    of_words = problem.model_copy(update={"head": problem.head.model_copy(update={"kind": "token_classification"})})
    of_pairs = problem.model_copy(update={"inputs": ("text", "text_pair")})
    for other in (of_words, of_pairs):
        assert "frozen_share" not in full_space(8.5e7, other, 400, freezes=True).parameters
    dear = replace(shape, body=85_000_000)
    assert fine_tuning(400, dear, problem) == pytest.approx(fine_tuning(400, replace(dear, a_layer=0), problem) * 2 / 3)


def test_layers_that_share_weights_are_none_of_it(tiny_source):
    source = tiny_source("albert")
    assert anatomy(source).a_layer == 0
    assert LowerLayers(start(source), 0.5).count == 0
