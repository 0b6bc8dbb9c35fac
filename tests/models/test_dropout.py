"""Dropout by random bytes drops as many values as torch's, scales the rest alike, and is gone once the training is over."""

import numpy as np
import pytest
import torch
from torch import nn

from autoft_plugins.models.transformer.dropout import ByteDropout, cheap_dropout

CPU = torch.device("cpu")


def network():
    return nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.25), nn.Sequential(nn.Dropout(0.0), nn.Dropout(0.5)))


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_as_many_values_are_dropped_as_asked_and_the_mean_stays(rate, dtype):
    values = torch.ones(1000, 1003, dtype=dtype)
    made = ByteDropout(rate, np.random.SFC64(0))(values)
    dropped = float((made == 0).double().mean())
    assert dropped == pytest.approx(rate, abs=1 / 512 + 0.002)
    assert made.dtype == dtype
    assert float(made.double().mean()) == pytest.approx(1, abs=0.005)
    assert len(made.unique()) == 2


def test_the_gradient_passes_where_the_value_did():
    values = torch.randn(64, 33, requires_grad=True)
    made = ByteDropout(0.4, np.random.SFC64(1))(values)
    made.sum().backward()
    assert torch.equal(values.grad, torch.where(made == 0, 0.0, 256 / (256 - round(0.4 * 256))))


def test_values_next_to_one_another_are_dropped_independently():
    made = ByteDropout(0.5, np.random.SFC64(2))(torch.ones(400, 512))
    kept = (made != 0).double() - 0.5
    for distance in (1, 2, 7, 8, 64):
        assert abs(float((kept[:, distance:] * kept[:, :-distance]).mean()) * 4) < 0.01


def test_nothing_is_dropped_in_answers():
    values = torch.randn(5, 7)
    assert torch.equal(ByteDropout(0.5, np.random.SFC64(0)).eval()(values), values)


def test_within_it_takes_the_place_of_what_drops_and_after_it_is_gone():
    model = network().train()
    before = list(model.modules())
    with cheap_dropout(model, CPU, 3):
        assert [type(module) for module in model.modules() if not isinstance(module, nn.Linear | nn.Sequential)] == [
            ByteDropout,
            nn.Dropout,
            ByteDropout,
        ]
        model.eval()
    assert list(model.modules()) == before
    assert not any(module.training for module in model.modules())


def test_the_seed_decides():
    def drawn(seed):
        model = network().train()
        with cheap_dropout(model, CPU, seed):
            return [model[1:](torch.ones(20, 4)) for _ in range(2)]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_a_gpu_keeps_its_own():
    model = network()
    with cheap_dropout(model, torch.device("cuda"), 0):
        assert not any(isinstance(module, ByteDropout) for module in model.modules())
