"""What the utilisation of a trial is made of: the operations that are counted, what is reported of them, and the machine's peak."""

from __future__ import annotations

import numpy as np
import pytest

from autoft.interfaces.model import Candidate, Peaks, TrialSpec
from autoft_plugins.models.contrastive import Contrastive
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.writing import Writing
from support import counted


def bend(flops) -> float:
    """The part that grows with the square of the length, from those of 8, 16 and 24 tokens."""
    return flops[2] - 2 * flops[1] + flops[0]


def test_operations_of_an_encoder_are_those_that_torch_counts(tiny_source):
    from transformers import AutoModel

    source = tiny_source("bert")
    model = AutoModel.from_pretrained(source.folder, attn_implementation="eager")
    ours = anatomy(source).forward_flops(np.array([8, 16, 24]))
    theirs = [counted(model, input_ids=length) for length in (8, 16, 24)]
    assert bend(ours) == bend(theirs)
    # Biases, norms and the pooler count as if they multiplied each token; in so small a model they are many.
    np.testing.assert_allclose(ours, theirs, rtol=0.12)


def test_operations_of_an_encoder_with_a_decoder_are_those_that_torch_counts(tiny_source, writing_data):
    from transformers import AutoModelForSeq2SeqLM

    source = tiny_source("t5")
    model = AutoModelForSeq2SeqLM.from_pretrained(source.folder, attn_implementation="eager")
    cost = Writing.of(anatomy(source), writing_data.problem)
    some, few = np.array([8, 16, 24]), np.array([8, 8, 8])
    for read, written in ((some, few), (few, some), (some, some)):
        ours = cost.forward_flops(read, written)
        theirs = [counted(model, input_ids=r, decoder_input_ids=w) for r, w in zip(read, written, strict=True)]
        assert bend(ours) == bend(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=0.2)  # keys and values for the decoder are made of what was read


def test_a_trial_reports_the_operations_on_its_real_tokens(tiny_source, text_data, listening):
    source, data, report = tiny_source("bert"), text_data(rows=40), listening()
    candidate = Candidate("full", source)
    default = Full().space(candidate, data.problem, len(data.train)).default
    Full().fit(TrialSpec(1, candidate, default | {"epochs": 3, "batch_size": 8}, 3), data, report)
    texts = [data.rows["text"][row] for row in data.train]
    lengths = np.array([min(data.problem.max_length, 2 + len(text.split())) for text in texts])
    a_token = 3 * anatomy(source).forward_flops(lengths, first_only=True).sum() / lengths.sum()
    assert len(report.measures) == 3, "one an epoch"
    for measures in report.measures:
        assert measures["flops_per_second"] / measures["tokens_per_second"] == pytest.approx(a_token)


def test_the_peak_is_measured_once_and_leaves_the_threads_as_they_were():
    import torch

    assert [isinstance(model, Peaks) for model in (Full(), Contrastive(), Frozen(), Linear())] == [True, True, False, False]
    before = torch.get_num_threads()
    peak = Full().peak_flops(threads=1, gpus=0)
    assert 1e8 < peak < 1e15
    assert Contrastive().peak_flops(threads=1, gpus=0) == peak
    assert torch.get_num_threads() == before
