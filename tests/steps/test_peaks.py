"""What the machine can do at best is measured once, before the search, for models that tell how."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from autoft import hardware
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate
from autoft.steps.choose import Choice
from autoft.steps.search import LEAST_SECONDS, measured_peaks


class Tuned:
    def __init__(self, peak):
        self.peak, self.asked = peak, []

    def peak_flops(self, *, threads, gpus):
        self.asked.append((threads, gpus))
        if isinstance(self.peak, Exception):
            raise self.peak
        return self.peak


@pytest.fixture
def peaks(monkeypatch):
    """`peaks(models, deadline, gpus)`: what was found, and what was said."""

    def measure(models, deadline=None, gpus=0):
        monkeypatch.setattr(hardware, "cores", lambda: 4)
        monkeypatch.setattr(hardware, "gpus", lambda: gpus)
        said = []
        journal = SimpleNamespace(say=lambda text, level: said.append((level, text)))
        catalog = SimpleNamespace(model=models.__getitem__)
        choice = Choice(tuple(Candidate(name) for name in (*models, *models)), (), frozenset())
        return measured_peaks(choice, catalog, deadline, journal), said

    return measure


def test_a_thread_has_its_share_of_all_and_a_model_is_asked_once(peaks):
    tuned = Tuned(8e12)
    assert peaks({"full": tuned, "linear": object()}) == ({"full": 2e12}, [])
    assert tuned.asked == [(4, 0)]


def test_the_peak_of_a_gpu_is_that_of_one(peaks):
    tuned = Tuned(8e14)
    assert peaks({"full": tuned}, gpus=2) == ({"full": 8e14}, [])
    assert tuned.asked == [(4, 1)]


def test_a_short_search_spends_no_time_on_it(peaks):
    tuned = Tuned(8e12)
    assert peaks({"full": tuned}, time.time() + LEAST_SECONDS - 1) == ({}, [])
    assert peaks({"full": tuned}, time.time() + LEAST_SECONDS + 60) == ({"full": 2e12}, [])


def test_what_cannot_be_measured_is_said(peaks):
    found, said = peaks({"full": Tuned(TrialError("torch finds no GPU")), "other": Tuned(4e12)})
    assert found == {"other": 1e12}
    assert [level for level, _ in said] == ["warning"]
    assert "of full" in said[0][1]
    assert "torch finds no GPU" in said[0][1]
