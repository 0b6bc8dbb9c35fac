"""The machine's speed, of which a moment may tell too little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autoft import hardware


def test_the_fastest_of_several_looks_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([100.0, 105.0, 60.0, 300.0, 40.0])
    monkeypatch.setattr(hardware, "_measured", [])
    monkeypatch.setattr(hardware, "_products", lambda seconds: hardware._Measured(next(found), 1.0))
    assert hardware.matmul_flops() == hardware.matmul_flops() == 100.0
    assert [hardware.look_again(0.1) for _ in range(4)] == [False, False, True, False]
    assert hardware.matmul_flops() == 300.0
    assert hardware.limits(10.0).flops in (300.0, 150.0)


def test_it_is_measured() -> None:
    made = hardware._products(0.01)
    assert made.flops > 1e8
    assert made.share > 0


def test_products_get_a_part_of_processors_that_others_want_too() -> None:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * hardware.cores())]
    try:
        assert hardware._products(0.5).share < 0.9
    finally:
        for other in others:
            other.kill()
            other.wait()
