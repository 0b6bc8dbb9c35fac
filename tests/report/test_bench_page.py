"""bench.html and the tables, of figures that the test makes up."""

from __future__ import annotations

import io

import pytest

from autoft.benching.figures import (
    Asked,
    Beside,
    ColdStart,
    Latency,
    Measurements,
    Memory,
    Rate,
    Spread,
    Throughput,
)
from autoft.console.bench import bench_progress, show_bench
from autoft.report.bench import bench_html, write_bench
from autoft.runtime.advice import Advice, Machine, Setting
from report_page import Page

MIB = 2**20


def lone(length: int | None, threads: int, p50: float) -> Latency:
    return Latency(length=length, threads=threads, n=120, p50_ms=p50, p95_ms=2 * p50, p99_ms=None, low_ms=p50 - 0.1, high_ms=p50 + 0.1)


def many(length: int | None, sessions: int, threads: int, batch: int, speed: float) -> Throughput:
    return Throughput(
        length=length, sessions=sessions, threads=threads, batch=batch, n=5, rows=64, rows_per_second=speed, low=speed - 9, high=speed + 9,
        tokens_per_second=speed * 20, by_round=(speed,) * 5,
    )  # fmt: skip


@pytest.fixture
def measured() -> Measurements:
    setting, machine = Setting(sessions=2, threads=1, batch=8), Machine(processor="A <b>fast</b> one", cores=2, system="Linux")
    return Measurements(
        schema=1,
        autoft="0.1.0",
        bundle="runs/a/bundle",
        candidate="full:<i>MiniLM</i>",
        task="text-classification",
        format="onnx",
        max_length=128,
        machine=machine,
        versions={"onnxruntime": "1.32"},
        when="2026-01-01T00:00:00+00:00",
        seconds=31.2,
        rounds=5,
        asked=Asked(kind="made", name="", rows=256, units=37.5, why="shop.csv is gone"),
        latency=(lone(None, 1, 5.25), lone(None, 2, 3.5), lone(8, 1, 2.0), lone(8, 2, 1.5), lone(128, 1, 20.0), lone(128, 2, 12.0)),
        throughput=(
            many(None, 1, 2, 1, 300.0), many(None, 1, 2, 8, 320.0), many(None, 2, 1, 1, 410.0), many(None, 2, 1, 8, 450.0),
            many(8, 1, 2, 8, 900.0), many(8, 2, 1, 8, 1100.0), many(128, 1, 2, 8, 80.0), many(128, 2, 1, 8, 70.0),
        ),
        memory=Memory(started=10 * MIB, opened=150 * MIB, answered=180 * MIB, peak=190 * MIB, rows=64),
        cold_start=ColdStart(n=5, seconds=0.61, low=0.6, high=0.7, opening=0.5, answering=0.01),
        beside=Beside(
            torch="2.13.0",
            threads=2,
            latency=Spread(n=50, p50_ms=7.7, p95_ms=None, p99_ms=None, low_ms=7.0, high_ms=8.0),
            rate=Rate(n=5, rows=64, rows_per_second=210.0, low=200.0, high=220.0, by_round=(210.0,) * 5),
            quicker=2.2,
            faster=1.52,
            batch=8,
        ),
        default=Setting(sessions=1, threads=2, batch=8),
        advice=Advice(
            **setting.model_dump(), files=setting, format="onnx", machine=machine, when="2026-01-01T00:00:00+00:00",
            measured={"p50_ms": 5.25, "rows_per_second": 410.0, "files_rows_per_second": 450.0},
        ),
        advice_written=True,
        notes=("something else was busy",),
    )  # fmt: skip


SAID = (
    "256 rows of texts made for the purpose (--input FILE measures with yours), 38 tokens a row on average; not the run's data: ",
    "shop.csv is gone",
    "autoft serve: 2 sessions of 1 thread, up to 8 rows a batch: 410 rows a second one by one, 5.25 ms for a lone one",
    "autoft predict --input: 2 sessions of 1 thread, up to 8 rows a batch: 450 rows a second",
    "It is in autoft.json; both commands take it on machines with 2 processors, unless their flags say otherwise.",
    "150 MiB once the bundle is open, 180 MiB after 64 rows, 190 MiB at most; Python alone takes 10 MiB",
    "0.61 s from a new process to its first answer (0.60 to 0.70 s in 5 starts), of which 0.50 s open the bundle",
    "PyTorch 2.13.0 with 2 threads: one row takes 7.70 ms there, 2.20 times as long as here; ",
    "210 rows a second there; here 1.52 times as many",
    "something else was busy",
)


def test_the_page_says_and_draws_it(measured: Measurements, tmp_path) -> None:
    html = write_bench(tmp_path / "bench.html", measured).read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert page.fetched == []
    for said in SAID:
        assert said in page.text, said
    assert page.tags.count("svg") == 4
    assert "how fast full:<i>MiniLM</i> answers" in page.text
    assert "<i>MiniLM" not in html
    assert html.count("<circle") == 2 * len(measured.latency) + len(measured.throughput)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.html"]


def test_faster_is_higher_and_slower_is_higher_where_it_is_milliseconds(measured: Measurements) -> None:
    import re

    heights = [float(found) for found in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', bench_html(measured))]
    assert len(heights) == 20
    one, two = heights[:3], heights[3:6]  # one thread: as asked, 8, 128; then two threads
    assert one[2] < one[0] < one[1]
    assert all(below > above for below, above in zip(two, one, strict=True))
    assert heights[12] > heights[13]  # 300 rows a second, 320


def test_rows_without_a_length_have_one_mark_and_no_second_chart(measured: Measurements) -> None:
    bare = measured.model_copy(
        update={
            "latency": tuple(one for one in measured.latency if one.length is None),
            "throughput": tuple(one.model_copy(update={"tokens_per_second": None}) for one in measured.throughput if one.length is None),
            "memory": None,
            "cold_start": None,
            "beside": None,
            "notes": (),
            "advice_written": False,
        }
    )
    page = Page(bench_html(bare))
    assert page.tags.count("svg") == 3
    assert "It was not written into the bundle." in page.text
    assert "PyTorch" not in page.text
    out = io.StringIO()
    show_bench(bare, out)
    assert "Cold start" not in out.getvalue()
    assert "Note" not in out.getvalue()


def test_the_tables(measured: Measurements) -> None:
    out = io.StringIO()
    show_bench(measured, out, width=200)
    said = out.getvalue()
    for line in SAID:
        assert line in said, line
    cells = [line.split() for line in said.splitlines()]
    assert ["8", "1", "2.00", "4.00", "-", "1.90", "to", "2.10", "120"] in cells
    assert ["8", "2", "1", "8", "1,100", "1,091", "to", "1,109", "22,000", "5"] in cells
    assert "2 x A <b>fast</b> one, Linux" in said


def test_nothing_of_the_progress_is_in_a_log() -> None:
    out = io.StringIO()
    with bench_progress(out) as tell:
        tell(0.5, "round 1")
    assert out.getvalue() == ""
