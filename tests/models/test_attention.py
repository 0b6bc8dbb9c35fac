"""Attention on processors: plain for as many rows as it may hold, the fused kernel for more; and the memory of a step stays for the next
one."""

from __future__ import annotations

import platform
import resource

import numpy as np
import pytest
import torch
import transformers

from autoft.interfaces.model import Candidate, TrialSpec
from autoft_plugins.models.contrastive import Contrastive
from autoft_plugins.models.full import Full
from autoft_plugins.models.transformer import attention
from autoft_plugins.models.transformer.attention import most_rows, quick_attention
from autoft_plugins.models.transformer.first_token import reading_first
from autoft_plugins.models.transformer.memory import kept_memory
from autoft_plugins.models.transformer.objectives.contrast import Contrast
from support import learned

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def batch(width: int) -> dict[str, torch.Tensor]:
    ids = torch.from_numpy(np.random.default_rng(3).integers(5, 30, (4, width)))
    mask = torch.ones_like(ids)
    mask[1, width // 2 :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "modernbert"])
def test_each_batch_has_its_kernel_and_the_same_gradients(classifier, architecture, monkeypatch):
    model = classifier(architecture)
    heads = model.config.num_attention_heads
    monkeypatch.setattr(attention, "SCORES", 4 * heads * 9**2)
    fused = {width: learned(model, **batch(width)) for width in (9, 10)}
    seen = []
    watch = model.base_model.register_forward_hook(lambda *_: seen.append(model.config._attn_implementation))
    with quick_attention(model, CPU), reading_first(model):
        quick = {width: learned(model, **batch(width)) for width in (9, 10, 9)}
        with torch.no_grad():
            model(**batch(9))
    watch.remove()
    assert seen == ["eager", "sdpa", "eager", "sdpa"]
    assert model.config._attn_implementation == "sdpa"
    for width, (logits, gradients) in fused.items():
        torch.testing.assert_close(quick[width][0], logits, rtol=1e-4, atol=1e-6)
        for name, gradient in gradients.items():
            torch.testing.assert_close(quick[width][1][name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_on_a_gpu_the_fused_kernel_stays(classifier):
    model = classifier("bert")
    with quick_attention(model, GPU):
        assert not model.base_model._forward_pre_hooks
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("architecture", ["mpnet", "bert"])
def test_long_rows_go_in_pieces_on_a_processor(classifier, architecture):
    model = classifier(architecture)
    width = int((attention.SCORES / model.config.num_attention_heads / 5) ** 0.5)
    assert most_rows(model, CPU, width, 16) == 5
    assert most_rows(model, CPU, width, 3) == 3
    assert most_rows(model, CPU, 100 * width, 16) == 1
    assert most_rows(model, GPU, width, 16) == 16


def spec_of(model, source, data, **changes) -> TrialSpec:
    candidate = Candidate(model.name, source)
    small = {"epochs": 2, "batch_size": 8, "dropout": 0.0}
    return TrialSpec(1, candidate, model.space(candidate, data.problem, len(data.train)).default | small | changes, 3)


def sizes_of_batches(model_class, monkeypatch) -> list[int]:
    """What goes at once through a model of this class that learns, as it comes."""
    sizes, forward = [], model_class.forward

    def seen(self, input_ids=None, **rest):
        if self.training:
            sizes.append(len(input_ids))
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(model_class, "forward", seen)
    return sizes


def test_pieces_teach_what_the_whole_batch_does(tiny_source, text_data, listening, monkeypatch):
    data = text_data(rows=40)
    spec = spec_of(Full(), tiny_source("distilbert"), data)
    sizes = sizes_of_batches(transformers.DistilBertForSequenceClassification, monkeypatch)
    whole = Full().fit(spec, data, listening()).outputs(data.rows)["logits"]
    assert max(sizes) == 8
    sizes.clear()
    monkeypatch.setattr(attention, "SCORES", 1)
    pieces = Full().fit(spec, data, listening()).outputs(data.rows)["logits"]
    assert set(sizes) == {1}
    np.testing.assert_allclose(pieces, whole, atol=3e-3)


def test_a_batch_whose_rows_are_compared_stays_whole(tiny_source, text_data, listening, monkeypatch):
    sizes, forward = [], Contrast.forward

    def seen(self, model, inputs):
        sizes.append(len(inputs["input_ids"]))
        return forward(self, model, inputs)

    monkeypatch.setattr(Contrast, "forward", seen)
    monkeypatch.setattr(attention, "SCORES", 1)
    data = text_data(rows=40)
    Contrastive().fit(spec_of(Contrastive(), tiny_source("bert"), data, epochs=1), data, listening())
    assert max(sizes) == 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told; elsewhere all is as it was")
def test_memory_is_kept_for_the_next_step():
    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(3):
            np.ones(2**26, np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    before = faults()
    with kept_memory(CPU):
        faults()
        assert faults() < before / 10
    assert faults() > before / 2, "afterwards it is given back again"
    with kept_memory(GPU):
        assert faults() > before / 2
