"""The queue before the predictors: order, fairness, room, and what is dropped. No graph: a predictor that tells what it was asked."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import encoder_bundles
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Encoded
from autoft.loading import load_predictor
from autoft.runtime.predictor import TooLongError
from autoft.serving.engine import Engine, Job, QueueFullError
from autoft.serving.options import GPU_TOKENS, Named, Options
from autoft.serving.served import budget, loader
from http_servers import Client, in_thread


class Told:
    """Answers a row with its length, `size` rows a batch, or `budget` tokens, which are letters. Until `held` is set no batch ends."""

    def __init__(self, size: int = 2, budget: int | None = None) -> None:
        self.at_once, self._size, self.budget = 1, size, budget
        self.done: list[str] = []
        self.batched: list[list[str]] = []
        self.held, self.begun = threading.Event(), threading.Semaphore(0)
        self.held.set()

    def asked(self, inputs: Sequence[Any]) -> Table:
        if "wrong" in inputs:
            raise DataError("row 1: wrong")
        return Table({"text": list(inputs)})

    def batches(self, rows: Table) -> list[list[int]]:
        # The last row first, as long ones are.
        numbers = list(range(len(rows)))[::-1]
        return [numbers[place : place + self._size] for place in range(0, len(numbers), self._size)]

    def tokens(self, rows: Table) -> list[int]:
        return [len(text) for text in rows["text"]]

    def answer(self, rows: Table, numbers: Sequence[int]) -> list[dict[str, Any]]:
        self.begun.release()
        assert self.held.wait(30)
        texts = [rows["text"][number] for number in numbers]
        self.done += texts
        self.batched.append(texts)
        if "long" in texts:
            raise TooLongError("long", row=numbers[texts.index("long")])
        if "fails" in texts:
            raise RuntimeError("fails")
        return [{"length": len(text)} for text in texts if text != "forgotten"]


def texts(letter: str, count: int) -> list[str]:
    return [letter * (number + 1) for number in range(count)]


def test_answers_are_in_the_order_of_the_rows() -> None:
    engine = Engine()

    async def ask() -> Any:
        return await asyncio.gather(*(engine.submit(Told(), texts("a", count)).future for count in range(1, 20)))

    for count, answers in enumerate(asyncio.run(ask()), 1):
        assert answers == [{"length": number + 1} for number in range(count)]
    assert engine.waiting == 0


def test_a_request_of_one_row_does_not_wait_for_the_whole_of_a_long_one() -> None:
    engine, predictor = Engine(), Told()
    predictor.held.clear()

    async def ask() -> None:
        long = engine.submit(predictor, texts("a", 100))
        short = engine.submit(predictor, ["b"])
        predictor.held.set()
        assert await short.future == [{"length": 1}]
        assert len(await long.future) == 100

    asyncio.run(ask())
    assert predictor.done.index("b") < 20


def test_what_does_not_fit_is_refused_with_the_time_to_wait() -> None:
    engine, predictor = Engine(most=10), Told()
    predictor.held.clear()

    async def ask() -> None:
        whole = engine.submit(predictor, texts("a", 25))  # nothing is before it
        with pytest.raises(QueueFullError) as caught:
            engine.submit(predictor, ["b"])
        assert caught.value.seconds >= 1
        predictor.held.set()
        assert len(await whole.future) == 25
        jobs = [engine.submit(predictor, texts("c", 5)) for _ in range(2)]
        await asyncio.gather(*(job.future for job in jobs))

    asyncio.run(ask())
    assert engine.waiting == 0


def test_what_nobody_waits_for_is_not_computed_and_gives_its_room_back() -> None:
    engine, predictor = Engine(most=8), Told()
    predictor.held.clear()

    async def ask() -> None:
        busy = [engine.submit(predictor, ["a"]) for _ in range(2)]
        for _ in busy:
            await asyncio.to_thread(predictor.begun.acquire)
        left = engine.submit(predictor, texts("b", 6))
        assert engine.waiting == 8
        engine.drop(left)
        assert engine.waiting == 2
        stays = engine.submit(predictor, ["c"])
        predictor.held.set()
        assert await stays.future == [{"length": 1}]
        await asyncio.gather(*(job.future for job in busy))
        with pytest.raises(asyncio.CancelledError):
            await left.future

    asyncio.run(ask())
    assert not any(text.startswith("b") for text in predictor.done)
    assert engine.waiting == 0


def test_of_a_request_that_is_left_in_the_middle_the_rest_is_not_computed() -> None:
    engine, predictor = Engine(), Told()
    predictor.held.clear()

    async def ask() -> None:
        job = engine.submit(predictor, texts("a", 50))
        await asyncio.to_thread(predictor.begun.acquire)
        engine.drop(job)
        predictor.held.set()
        assert await engine.submit(predictor, ["b"]).future == [{"length": 1}]

    asyncio.run(ask())
    assert len(predictor.done) <= 5  # a batch a thread, and the last
    assert engine.waiting == 0


def test_what_has_waited_too_long_is_not_computed() -> None:
    engine, predictor = Engine(timeout=0.05), Told()
    predictor.held.clear()

    async def ask() -> None:
        busy = [engine.submit(predictor, ["a"]) for _ in range(2)]
        for _ in busy:
            await asyncio.to_thread(predictor.begun.acquire)
        late = engine.submit(predictor, ["late"])
        await asyncio.sleep(0.1)
        predictor.held.set()
        with pytest.raises(TimeoutError):
            await late.future
        await asyncio.gather(*(job.future for job in busy))

    asyncio.run(ask())
    assert predictor.done == ["a", "a"]
    assert engine.waiting == 0


@pytest.mark.parametrize(
    ("rows", "error"), [(["wrong"], DataError), ([*texts("a", 9), "fails"], RuntimeError), (["forgotten"], ValueError)]
)
def test_an_error_is_that_of_its_request_alone(rows: list[str], error: type[Exception]) -> None:
    engine, predictor = Engine(), Told()

    async def ask() -> None:
        jobs = [engine.submit(predictor, one) for one in (["b"], rows, ["c"])]
        first, wrong, last = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        assert first == last == [{"length": 1}]
        assert isinstance(wrong, error)

    asyncio.run(ask())
    assert engine.waiting == 0


async def asked_together(engine: Engine, predictor: Any, *requests: list[str]) -> list[Job]:
    """The requests, all in the queue before the one thread comes; none waits any more."""
    engine._staff = lambda wanted: None
    jobs = [engine.submit(predictor, rows) for rows in requests]
    Engine._staff(engine, 1)
    await asyncio.wait([job.future for job in jobs], timeout=30)
    engine.close()
    assert engine.waiting == 0
    return jobs


def test_rows_of_several_requests_share_a_batch_in_their_order_until_it_is_full() -> None:
    predictor = Told(budget=12)
    jobs = asyncio.run(asked_together(Engine(), predictor, ["a", "aaa"], ["bbbb"], ["cc", "cc"], ["d" * 20], ["e"]))
    assert predictor.batched == [["aaa", "a", "bbbb"], ["cc", "cc"], ["d" * 20], ["e"]]
    assert [job.future.result() for job in jobs] == [
        [{"length": 1}, {"length": 3}], [{"length": 4}], [{"length": 2}] * 2, [{"length": 20}], [{"length": 1}],
    ]  # fmt: skip


def test_a_long_request_leaves_the_next_batch_to_those_behind_it() -> None:
    predictor = Told(budget=8)
    long, short = asyncio.run(asked_together(Engine(), predictor, ["aaaa"] * 5, ["b"]))
    assert predictor.batched == [["aaaa", "aaaa"], ["b", "aaaa"], ["aaaa", "aaaa"]]
    assert long.future.result() == [{"length": 4}] * 5
    assert short.future.result() == [{"length": 1}]


def test_other_predictors_have_batches_of_their_own() -> None:
    one, other = Told(budget=100), Told(budget=100)

    async def ask() -> None:
        engine = Engine()
        engine._staff = lambda wanted: None
        jobs = [engine.submit(predictor, ["a"]) for predictor in (one, other, one)]
        Engine._staff(engine, 1)
        await asyncio.gather(*(job.future for job in jobs))
        engine.close()

    asyncio.run(ask())
    assert (one.batched, other.batched) == ([["a", "a"]], [["a"]])


def test_in_a_shared_batch_an_error_is_that_of_its_request_alone() -> None:
    predictor = Told(budget=1000)
    requests = (["a"] * 3, ["wrong"], ["fails"], ["x", "long"], ["b"])
    first, wrong, fails, long, last = asyncio.run(asked_together(Engine(), predictor, *requests))
    assert (first.future.result(), last.future.result()) == ([{"length": 1}] * 3, [{"length": 1}])
    assert isinstance(wrong.future.exception(), DataError)
    assert isinstance(fails.future.exception(), RuntimeError)
    error = long.future.exception()
    assert isinstance(error, TooLongError)
    assert error.row == 1


def test_what_nobody_waits_for_joins_no_batch() -> None:
    predictor = Told(budget=1000)

    async def ask() -> None:
        engine = Engine()
        engine._staff = lambda wanted: None
        first, left, last = (engine.submit(predictor, [letter]) for letter in "abc")
        engine.drop(left)
        Engine._staff(engine, 1)
        await asyncio.gather(first.future, last.future)
        engine.close()
        assert engine.waiting == 0

    asyncio.run(ask())
    assert predictor.batched == [["a", "c"]]


def test_a_real_graph_gives_the_same_answers_to_rows_of_several_requests(bundle: Path) -> None:
    predictor = load_predictor(bundle, threads=1)
    requests = [["great lovely", "awful"], ["superb great broken"], ["useless"]]
    alone = [predictor.predict(rows) for rows in requests]
    seen: list[Encoded] = []
    predictor.budget, predictor.watch = 9, seen.append
    jobs = asyncio.run(asked_together(Engine(), predictor, *requests))
    assert [len(batch.lengths) for batch in seen] == [3, 1]
    for job, expected in zip(jobs, alone, strict=True):
        for answer, other in zip(job.future.result(), expected, strict=True):
            assert answer["label"] == other["label"]
            assert answer["score"] == pytest.approx(other["score"], abs=1e-6)


def test_a_server_keeps_to_the_padded_tokens_that_it_was_told(tmp_path: Path) -> None:
    texts = [" ".join(["the", "a", "good", "bad", "phone", "is"][: 1 + number % 6]) for number in range(40)]
    with in_thread(encoder_bundles.tokens(tmp_path / "shop"), batch_tokens=24) as (address, made), Client(address) as client:
        predictor = made.bundles["shop"].predictor
        heard, padded = predictor.watch, []
        predictor.watch = lambda batch: (padded.append(batch.arrays["input_ids"].size), heard(batch))
        _, _, answers = client.ask("POST", "/predict", {"inputs": texts})
        assert client.ask("GET", "/info")[2]["batch_tokens"] == 24
        assert 1 < len(padded) < len(texts)
        assert max(padded) <= 24
        for answer, expected in zip(answers, predictor.predict(texts), strict=True):
            assert answer["label"] == expected["label"]
            assert answer["score"] == pytest.approx(expected["score"], abs=1e-6)


def test_batches_of_several_requests_are_for_gpus_and_those_who_ask_for_them(bundle: Path) -> None:
    processors = load_predictor(bundle, threads=1)
    gpu = SimpleNamespace(on_gpu=True, encoding=SimpleNamespace(max_length=128))
    without_length = SimpleNamespace(on_gpu=True, encoding=SimpleNamespace(max_length=None))
    assert [budget(None, one) for one in (processors, gpu, without_length)] == [None, GPU_TOKENS, None]
    assert [budget(0, one) for one in (processors, gpu)] == [None, None]
    assert [budget(500, one) for one in (processors, gpu)] == [500, 500]
    assert not processors.on_gpu
    processors._session.provider = "CUDAExecutionProvider"
    assert processors.on_gpu


@pytest.mark.parametrize(("provider", "sessions", "at_once"), [("CUDA", None, 1), ("CUDA", 3, 3), ("CPU", None, 4), ("CPU", 3, 3)])
def test_processors_are_not_counted_where_a_gpu_does_the_work(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, provider: str, sessions: int | None, at_once: int
) -> None:
    monkeypatch.setattr("autoft.runtime.session.available_cores", lambda: 16)
    monkeypatch.setattr("autoft.runtime.predictor.Predictor.on_gpu", provider == "CUDA")
    options = Options(bundles=(Named(name="shop", folder=bundle),), sessions=sessions)
    assert loader(options)(bundle).at_once == at_once


def test_a_predictor_that_answers_nothing_any_more_is_not_kept() -> None:
    engine, predictors = Engine(), [Told()]
    gone = weakref.ref(predictors[0])

    async def ask() -> None:
        await engine.submit(predictors.pop(), texts("a", 7)).future

    asyncio.run(ask())
    end = time.monotonic() + 10
    while gone() is not None and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert gone() is None


def test_a_closed_engine_has_no_threads() -> None:
    engine = Engine()

    async def ask() -> None:
        await engine.submit(Told(), ["a"]).future

    asyncio.run(ask())
    threads = list(engine._threads)
    assert threads
    engine.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
