"""bench.html: what `autoft bench` measured, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoft.benching import words
from autoft.benching.figures import Latency, Measurements, Throughput
from autoft.data.names import counted
from autoft.report.charts import COLOURS, Panel, legend
from autoft.report.markup import Markup, join, section, tag
from autoft.report.page import page

_MARGIN = 0.08
"""The share of the width left free beside the first and the last mark."""


def write_bench(path: Path, measured: Measurements) -> Path:
    """Written aside, then renamed. Raises OSError."""
    aside = path.with_name(path.name + ".new")
    aside.write_text(bench_html(measured), encoding="utf-8")
    return aside.replace(path)


def bench_html(measured: Measurements) -> str:
    """The page. Every text in it is escaped."""
    title = f"how fast {measured.candidate} answers"
    machine = measured.machine
    parts = [
        tag("header", tag("p", f"{measured.task} · {measured.format} · {measured.when}", cls="kicker"), tag("h1", title)),
        _advice(measured),
        _one_row(measured),
        _many_rows(measured),
        _facts(measured),
        tag("footer", f"Written by autoft bench. Measured on {machine.cores} x {machine.processor}. This page needs no network."),
    ]
    return page(title, parts)


def _advice(measured: Measurements) -> Markup:
    server, files = words.advice_in_words(measured)
    said = [tag("li", server), tag("li", files)]
    return section("What serves best here", words.taken_in_words(measured), tag("ul", *said))


def _one_row(measured: Measurements) -> Markup:
    threads = sorted({found.threads for found in measured.latency})
    names = {counted(count, "thread"): place % COLOURS for place, count in enumerate(threads)}
    marks = list(dict.fromkeys(words.length_in_words(found.length) for found in measured.latency))
    series = [[found for found in measured.latency if found.threads == count] for count in threads]
    panels = [_milliseconds([[(f, f.p50_ms, f.low_ms, f.high_ms) for f in one] for one in series], marks, "p50; the bar: of rounds")]
    tails = [[(f, f.p95_ms, f.p95_ms, f.p95_ms) for f in one if f.p95_ms is not None] for one in series]
    if any(tails):
        panels.append(_milliseconds(tails, marks, "p95"))
    table = _table(words.ONE_ROW, [words.one_row(found) for found in measured.latency])
    return section("One row at a time", words.asked_in_words(measured.asked), legend(names), _side_by_side(panels), table)


def _milliseconds(series: Sequence[Sequence[tuple[Latency, float, float, float]]], marks: Sequence[str], what: str) -> Markup:
    """`series` have (row of the table, value, low, high)."""
    drawn = [
        [_Dot(marks.index(words.length_in_words(f.length)), at, low, high, _said(f), f.length is None) for f, at, low, high in one]
        for one in series
    ]
    return _chart(drawn, marks, "tokens", f"Milliseconds from a row to its answer, {what}")


def _many_rows(measured: Measurements) -> Markup:
    settings = sorted({(found.sessions, found.threads) for found in measured.throughput})
    names = {
        f"{counted(sessions, 'session')} x {counted(threads, 'thread')}": k % COLOURS for k, (sessions, threads) in enumerate(settings)
    }
    own = [found for found in measured.throughput if found.length is None]
    sized = [found for found in measured.throughput if found.length is not None]
    panels = [_rates(own, settings, sorted({f.batch for f in own}), "rows a batch", "Rows a second, as asked")]
    if sized:
        sizes = sorted({found.length or 0 for found in sized})
        panels.append(_rates(sized, settings, sizes, "tokens a row", f"Tokens a second, up to {counted(sized[0].batch, 'row')} a batch"))
    table = _table(words.MANY_ROWS, [words.many_rows(found) for found in measured.throughput])
    lead = "The median pass over the same rows; the bar is the range of all passes. Padding is not counted as tokens."
    return section("Many rows at a time", lead, legend(names), _side_by_side(panels), table)


def _rates(found: Sequence[Throughput], settings: Sequence[tuple[int, int]], sizes: Sequence[int], axis: str, title: str) -> Markup:
    """Rows a second by batch, or tokens a second by length."""
    drawn = []
    for setting in settings:
        dots = []
        for one in (one for one in found if (one.sessions, one.threads) == setting):
            factor = 1.0 if one.length is None else (one.tokens_per_second or 0.0) / one.rows_per_second
            values = (factor * one.rows_per_second, factor * one.low, factor * one.high)
            dots.append(_Dot(sizes.index(one.batch if one.length is None else one.length), *values, _rate_said(one)))
        drawn.append(dots)
    return _chart(drawn, [f"{size:,}" for size in sizes], axis, title)


def _side_by_side(panels: Sequence[Markup]) -> Markup:
    """A single one is as wide as one of two."""
    return tag("div", *panels, *([tag("div")] if len(panels) == 1 else []), cls="panels")


@dataclass(frozen=True)
class _Dot:
    """A figure with its range, above a mark; `said` is shown where one points to it. One that is `apart` belongs to no line."""

    mark: int
    value: float
    low: float
    high: float
    said: str
    apart: bool = False


def _chart(series: Sequence[Sequence[_Dot]], marks: Sequence[str], axis: str, title: str) -> Markup:
    """From 0 up; each of `series` has a colour of its own."""
    panel = Panel([0.0, *(dot.high for one in series for dot in one)])
    shares = [_MARGIN + (1 - 2 * _MARGIN) * (place / (len(marks) - 1) if len(marks) > 1 else 0.5) for place in range(len(marks))]
    parts = []
    for number, dots in enumerate(series):
        colour = f"s{number % COLOURS}"
        line = [f"{panel.across(shares[dot.mark])} {panel.up(dot.value)}" for dot in dots if not dot.apart]
        if len(line) > 1:
            parts.append(tag("path", d="M" + " L".join(line), cls=f"curve {colour}"))
        for dot in dots:
            x, y, hover = panel.across(shares[dot.mark]), panel.up(dot.value), tag("title", dot.said)
            parts.append(tag("path", hover, d=f"M{x} {panel.up(dot.low)} L{x} {panel.up(dot.high)}", cls=f"curve {colour} strong"))
            parts.append(tag("circle", hover, cx=x, cy=y, r=3.4, cls=f"curve {colour} strong"))
    return panel.figure(parts, list(zip(shares, marks, strict=True)), axis, title)


def _said(found: Latency) -> str:
    cells = dict(zip(words.ONE_ROW, words.one_row(found), strict=True))
    return ", ".join(f"{name} {cell}" for name, cell in cells.items())


def _rate_said(found: Throughput) -> str:
    cells = dict(zip(words.MANY_ROWS, words.many_rows(found), strict=True))
    return ", ".join(f"{name} {cell}" for name, cell in cells.items())


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", *[tag("th", name, cls="right-align" if place else None) for place, name in enumerate(names)])
    body = [tag("tr", *[tag("td", cell, cls="num right-align" if place else "num") for place, cell in enumerate(row)]) for row in rows]
    inside = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
    return tag("details", tag("summary", f"all {len(rows)} figures"), inside)


def _facts(measured: Measurements) -> Markup:
    facts = {
        "memory": words.memory_in_words(measured.memory) if measured.memory else "",
        "cold start": words.start_in_words(measured.cold_start) if measured.cold_start else "",
        "beside": words.beside_in_words(measured.beside) if measured.beside else "",
        "measured in": words.took_in_words(measured),
        "machine": f"{measured.machine.processor}, {measured.machine.system}",
        "versions": ", ".join(f"{name} {version}" for name, version in measured.versions.items()),
        "bundle": measured.bundle,
    }
    rows = [join(tag("dt", name), tag("dd", value)) for name, value in facts.items() if value]
    notes = tag("ul", *[tag("li", note) for note in measured.notes]) if measured.notes else None
    return section("Memory, start and the rest", "", tag("dl", *rows, cls="facts"), notes)
