"""The machine's speed, of which a moment may tell too little."""

from __future__ import annotations

import pytest

from autoft import hardware


def test_the_fastest_of_several_looks_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([100.0, 105.0, 60.0, 300.0, 40.0])
    monkeypatch.setattr(hardware, "_measured", [])
    monkeypatch.setattr(hardware, "_fastest", lambda seconds: next(found))
    assert hardware.matmul_flops() == hardware.matmul_flops() == 100.0
    assert [hardware.look_again(0.1) for _ in range(4)] == [False, False, True, False]
    assert hardware.matmul_flops() == 300.0
    assert hardware.limits(10.0).flops in (300.0, 150.0)


def test_it_is_measured() -> None:
    assert hardware._fastest(0.01) > 1e8
