"""Threads of matrix products wait by sleeping, unless the user says how they are to wait."""

import os

import pytest

from autoft import hardware
from autoft.hardware import wait_briefly


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that what is set here is taken back
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("share", "looks"), [(0.98, "5000"), (0.7, "1000")])
def test_an_idle_machine_is_looked_on_for_longer(monkeypatch, share, looks):
    monkeypatch.setattr(hardware, "_measured", [hardware._Measured(1e9, share)])
    assert wait_briefly() == {"GOMP_SPINCOUNT": looks}
    assert os.environ["GOMP_SPINCOUNT"] == looks, "for this process, too"
    monkeypatch.setattr(hardware, "_measured", [hardware._Measured(1e9, 0.98)])
    assert wait_briefly() == {"GOMP_SPINCOUNT": looks}, "once for all"


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_what_the_user_has_set_stays(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert wait_briefly() == {name: value}
