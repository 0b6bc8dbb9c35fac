"""From figures to advice."""

from __future__ import annotations

from autoft.benching.choice import advise
from autoft.benching.figures import Latency, Throughput
from autoft.runtime.advice import Advice, Machine, Setting

MACHINE = Machine(processor="a processor", cores=4, system="a system")


def lone(threads: int, p50: float, length: int | None = None) -> Latency:
    return Latency(length=length, threads=threads, n=9, p50_ms=p50, p95_ms=None, p99_ms=None, low_ms=p50, high_ms=p50)


def many(sessions: int, threads: int, batch: int, speed: float, length: int | None = None, by_round: tuple[float, ...] = ()) -> Throughput:
    return Throughput(
        length=length, sessions=sessions, threads=threads, batch=batch, n=5, rows=64, rows_per_second=speed, low=speed, high=speed,
        tokens_per_second=None, by_round=by_round or (speed,) * 4,
    )  # fmt: skip


def advice(latency: list[Latency], throughput: list[Throughput]) -> Advice:
    return advise(latency, throughput, 8, machine=MACHINE, format="onnx", when="2026-01-01T00:00:00+00:00")


def test_sessions_of_a_thread_serve_more_where_a_lone_row_does_not_suffer():
    speeds = [many(1, 4, 1, 300), many(1, 4, 8, 310), many(4, 1, 1, 420), many(4, 1, 8, 450), many(4, 1, 32, 600)]
    found = advice([lone(1, 5.0), lone(4, 3.0)], speeds)
    assert (found.sessions, found.threads, found.batch) == (4, 1, 32)
    assert found.files == Setting(sessions=4, threads=1, batch=32)
    assert found.measured == {"p50_ms": 5.0, "rows_per_second": 420, "files_rows_per_second": 600}


def test_a_lone_row_that_would_wait_twice_as_long_keeps_all_threads_for_a_server_but_not_for_a_file():
    speeds = [many(1, 4, 1, 300), many(1, 4, 8, 310), many(4, 1, 1, 420), many(4, 1, 8, 450)]
    found = advice([lone(1, 9.0), lone(4, 3.0)], speeds)
    assert (found.sessions, found.threads, found.batch) == (1, 4, 8)
    assert found.files == Setting(sessions=4, threads=1, batch=8)
    assert found.measured["p50_ms"] == 3.0


def test_what_is_hardly_faster_changes_nothing():
    speeds = [many(1, 4, 1, 300), many(1, 4, 8, 310), many(1, 4, 32, 320), many(4, 1, 1, 312), many(4, 1, 8, 318), many(4, 1, 32, 325)]
    found = advice([lone(1, 3.1), lone(4, 3.0)], speeds)
    assert (found.sessions, found.threads, found.batch) == (1, 4, 8)
    assert found.files == Setting(sessions=4, threads=1, batch=8)


def test_what_is_faster_in_some_rounds_only_changes_nothing():
    steady = [many(1, 4, 1, 300), many(1, 4, 8, 310), many(4, 1, 8, 300)]
    for by_round, taken in (((500, 500, 290, 200), (1, 4)), ((500, 500, 500, 200), (4, 1))):
        found = advice([lone(1, 3.1), lone(4, 3.0)], [*steady, many(4, 1, 1, 400, by_round=by_round)])
        assert (found.sessions, found.threads) == taken


def test_only_the_rows_as_they_are_count():
    speeds = [many(1, 4, 1, 300), many(1, 4, 8, 310), many(4, 1, 1, 200), many(4, 1, 8, 220), many(4, 1, 8, 9000, length=8)]
    found = advice([lone(1, 0.1, length=8), lone(1, 5.0), lone(4, 3.0)], speeds)
    assert (found.sessions, found.threads) == (1, 4)
    assert found.files == Setting(sessions=1, threads=4, batch=8)


def test_one_processor_has_one_setting():
    found = advice([lone(1, 5.0)], [many(1, 1, 1, 100)])
    assert (found.sessions, found.threads, found.batch) == (1, 1, 1)
    assert found.files == Setting(sessions=1, threads=1, batch=1)
