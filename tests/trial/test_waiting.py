"""Threads of matrix products wait by sleeping, unless the user says how they are to wait."""

import os

import pytest

from autoft.hardware import wait_briefly


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that what is set here is taken back
        monkeypatch.delenv(name)


def test_a_thousand_looks_for_this_process_and_those_it_starts():
    assert wait_briefly() == {"GOMP_SPINCOUNT": "1000"}
    assert os.environ["GOMP_SPINCOUNT"] == "1000"


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_what_the_user_has_set_stays(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert wait_briefly() == {name: value}
