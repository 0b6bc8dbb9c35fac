"""The last layer computes one token where one is read: the same logits and gradients, fewer operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.first_token import reading_first, that_reads_first
from support import counted, learned

KNOWN = ["bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta-v2", "mpnet", "distilbert"]


def batch() -> dict[str, torch.Tensor]:
    ids = torch.from_numpy(np.random.default_rng(3).integers(5, 30, (4, 9)))
    mask = torch.tensor([[1] * 9, [1] * 6 + [0] * 3, [1] * 2 + [0] * 7, [1] + [0] * 8])
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("architecture", KNOWN)
def test_logits_and_gradients_are_those_of_all_tokens(classifier, architecture):
    model = classifier(architecture)
    logits, gradients = learned(model, **batch())
    with reading_first(model):
        narrow, narrow_gradients = learned(model, **batch())
    torch.testing.assert_close(narrow, logits, rtol=1e-5, atol=1e-6)
    assert narrow_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(narrow_gradients[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("architecture", [name for name in KNOWN if name != "deberta-v2"])  # relative positions are not counted
def test_operations_are_saved_and_counted_as_torch_counts_them(classifier, tiny_source, architecture):
    source, model = tiny_source(architecture), classifier(architecture)
    model.set_attn_implementation("eager")  # not all of torch's own attention is counted
    for length in (8, 24):
        before = counted(model, input_ids=length)
        with reading_first(model):
            after = counted(model, input_ids=length)
        assert counted(model, input_ids=length) == before, "the model is as it was"
        assert after < before
        assert after == pytest.approx(anatomy(source).forward_flops(np.array([length]), first_only=True)[0], rel=0.13)  # biases and norms


@pytest.mark.parametrize("architecture", ["albert", "modernbert"])
def test_an_architecture_that_is_not_known_to_read_the_first_alone_is_left(classifier, architecture):
    model = classifier(architecture)
    whole = counted(model, input_ids=8)
    with reading_first(model):
        assert counted(model, input_ids=8) == whole


def test_a_copy_shares_the_weights_and_leaves_the_model_as_it_is(classifier):
    model = classifier("bert")
    copy = that_reads_first(model)
    assert counted(copy, input_ids=8) < counted(model, input_ids=8)
    assert {id(value) for value in copy.parameters()} == {id(value) for value in model.parameters()}
