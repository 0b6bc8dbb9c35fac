"""The clients that put load on servers, and what they make of what they saw."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import encoder_bundles
from http_servers import in_thread

TEXTS = ["the a", "b is not c", "d"]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Without time to settle."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = import_module("serving.load")
    monkeypatch.setattr(module, "SETTLE", 0.0)
    return module


def test_clients_ask_without_pause_or_at_their_moments(load: ModuleType, tmp_path: Path) -> None:
    with in_thread(encoder_bundles.tokens(tmp_path / "shop")) as (address, _):
        order = {"address": address, "path": "/predict", "field": "text", "listed": False, "texts": TEXTS, "clients": 3, "seconds": 0.5}
        seen = asyncio.run(load.clients(order))
        assert len(seen) > 3
        assert {status for _, _, status in seen} == {200}
        listed = asyncio.run(load.clients(order | {"path": "/", "field": "inputs", "listed": True}))
        assert {status for _, _, status in listed} == {200}
        rated = asyncio.run(load.clients(order | {"rate": 40.0}))
        moments = load.planned(40.0, 0.5)
        assert sorted(moment for moment, _, _ in rated) == moments
        assert 5 < len(moments) < 50
    gone = asyncio.run(load.clients(order | {"seconds": 0.05, "rate": 100.0}))
    assert {status for _, _, status in gone} == {0}


def test_what_was_seen_is_summed_up(load: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SETTLE", 1.0)
    seen = [(0.5, 900.0, 200), *((1.0 + number / 100, float(number), 200) for number in range(100)), (1.5, 1.0, 429)]
    assert load.summary(seen, 2.0) == {"requests_per_second": 50.0, "p50_ms": 50.0, "p99_ms": 99.0, "errors": 1}


def test_the_runtime_alone_answers_as_the_bundle_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    bare = import_module("serving.bare")
    import autoft

    bundle = encoder_bundles.tokens(tmp_path / "shop")
    expected = autoft.load(bundle, threads=1).predict(TEXTS)
    session, tokenizer = bare.opened(bundle / "onnx" / "model.onnx", 1), bare.Tokenizer.from_file(str(bundle / "tokenizer.json"))
    for text, answer in zip(TEXTS, expected, strict=True):
        assert list(bare.answer(session, tokenizer, text)) == pytest.approx(list(answer["scores"].values()), abs=1e-6), json.dumps(answer)
