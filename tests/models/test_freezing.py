"""Lower layers that are left as they were: nothing below is learned, all above is, and the work is counted for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, TrialSpec
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer import loading
from autoft_plugins.models.transformer.anatomy import Anatomy, anatomy
from autoft_plugins.models.transformer.freezing import LowerLayers
from autoft_plugins.models.transformer.objectives.sequence import SequenceObjective
from autoft_plugins.models.transformer.proposals import fine_tuning
from autoft_plugins.models.transformer.spaces import full_space

ARCHITECTURES = ["bert", "distilbert", "roberta", "deberta-v2", "electra", "xlm-roberta", "camembert", "mpnet"]


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
    second = [name for name in before if "layer.1." in name]
    below = {name for name in before if "embed" in name or "layer.0." in name}
    assert second
    assert below
    assert not moved & below
    assert {name for name in before if name in second and name.endswith("weight")} <= moved
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


def test_all_can_learn_again_after_a_trial_that_was_cut(tiny_source, text_data, monkeypatch):
    """And the last layer computes one token while it learns, and all of them afterwards."""
    source, data, widths = tiny_source("bert"), text_data(rows=20), []
    made = loading.pretrained

    def watched(*arguments, **options):
        loaded = made(*arguments, **options)
        watched.model = loaded.model
        loaded.model.bert.encoder.layer[-1].register_forward_hook(lambda module, inputs, output: widths.append(output.shape[1]))
        return loaded

    def cut(*_, **__):
        raise TrialError("cut")

    cut.stop_requested, cut.seconds_left = lambda: False, lambda: None
    monkeypatch.setattr(loading, "pretrained", watched)
    with pytest.raises(TrialError, match="cut"):
        fit(source, data, cut, frozen_share=0.5)
    assert set(widths) == {1}
    model = watched.model
    assert all(value.requires_grad for value in model.parameters())
    model.eval()(input_ids=torch.full((1, 7), 5))
    assert widths[-1] == 7


def test_large_sources_are_offered_it_and_few_rows_begin_with_it(text_data):
    problem = text_data(rows=40).problem
    plain = full_space(8.5e7, problem, 400)
    few, more, many = (full_space(8.5e7, problem, rows, freezes=True) for rows in (1000, 1001, 5001))
    assert [point["frozen_share"] for point in (more.default, *more.first[:2])] == [0.75, 0.5, 0.0]
    assert more.default["learning_rate"] == few.default["learning_rate"]
    assert few.default["frozen_share"] == 0.5
    assert few.default["learning_rate"] == 2 * plain.default["learning_rate"]
    assert [point["frozen_share"] for point in few.first[:2]] == [0.75, 0.0]
    assert [point["learning_rate"] for point in few.first[:2]] == [few.default["learning_rate"], plain.default["learning_rate"]]
    assert (many.default["frozen_share"], many.default["learning_rate"]) == (0.0, plain.default["learning_rate"])
    assert (many.first[0]["frozen_share"], many.first[0]["learning_rate"]) == (0.5, few.default["learning_rate"])
    of_words = problem.model_copy(update={"head": problem.head.model_copy(update={"kind": "token_classification"})})
    of_pairs = problem.model_copy(update={"inputs": ("text", "text_pair")})
    others = (full_space(8.5e7, one, 400, freezes=True) for one in (of_words, of_pairs))
    assert all("frozen_share" not in space.parameters for space in (plain, *others))
    small, whole = full_space(1e7, problem, 400, freezes=True), full_space(1e7, problem, 400)
    assert {**whole.default, "frozen_share": 0.0} == small.default, "a small source learns with all of its layers"
    assert small.parameters["frozen_share"].values[0] == 0.0
    assert small.parameters["frozen_share"].values[1] == pytest.approx(1 / 3)


def test_a_trial_is_expected_to_take_what_it_learns(tiny_source, text_data):
    problem, small = text_data(rows=40).problem, anatomy(tiny_source("bert"))
    assert not small.freezes, "two layers are too few"
    whole = Anatomy(109_000_000, 85_000_000, 768, 12, 512, {}, once=5_000_000)
    halved = replace(whole, a_layer=7_000_000)
    assert halved.freezes

    def cost(rows, shape, length=20.0):
        return np.array(fine_tuning(rows, shape, problem, length)) * 85

    assert cost(400, whole) == pytest.approx([(epochs := 3) * 3 * 80, 0])
    assert cost(400, halved) == pytest.approx([42 + epochs * 3 * (80 - 42), 42]), "what lies below is read once"
    assert cost(400, halved, 1e6) == pytest.approx([epochs * (3 * 80 - 2 * 42), 0]), "or each time, where it is too much to keep"
    assert cost(4_000, halved) == pytest.approx([63 + 2 * 3 * (80 - 63), 63])
    assert cost(9_000, halved) == pytest.approx(cost(9_000, whole)), "not by default with many rows"


@pytest.mark.parametrize("architecture", ["albert", "modernbert"])
def test_of_an_architecture_that_is_not_known_no_layer_is_left(architecture, tiny_source):
    source = tiny_source(architecture)
    assert anatomy(source).a_layer == 0
    assert LowerLayers(start(source), 0.0).count == 0
    with pytest.raises(TrialError, match=f"the lower layers of {architecture} cannot be left as they are"):
        LowerLayers(start(source), 0.5)
