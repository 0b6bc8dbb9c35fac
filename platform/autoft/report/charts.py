"""The pictures of the report: SVG and boxes in percent, coloured by classes so that dark and light both work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoft.progress import duration, figure
from autoft.report.data import Confusion, Marked
from autoft.report.markup import Markup, join, tag

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 36
COLOURS = 8


@dataclass(frozen=True)
class Line:
    """Points (x in percent, y) of a trial. `colour` is 0 to 7."""

    label: str
    colour: int
    points: tuple[tuple[float, float], ...]
    strong: bool = False


def line_chart(lines: Sequence[Line], title: str, axis: str) -> Markup:
    """One panel: x is the share of the trial done."""
    points = [y for line in lines for _, y in line.points]
    ticks = nice_ticks(min(points), max(points))
    low, high = ticks[0], ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / 100
        return round(across, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / (high - low), 1)

    parts = []
    for tick in ticks:
        _, y = place(0, tick)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, cls="grid"))
        parts.append(tag("text", f"{tick:g}", x=LEFT - 8, y=y + 4, cls="tick end"))
    for share in (0, 25, 50, 75, 100):
        x, _ = place(share, low)
        parts.append(tag("text", f"{share}%", x=x, y=HEIGHT - BOTTOM + 17, cls="tick end" if share == 100 else "tick middle"))
    parts.append(tag("text", "share of the trial", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, cls="axis middle"))
    for line in sorted(lines, key=lambda one: one.strong):
        parts.append(_curve(line, [place(x, y) for x, y in line.points]))
    svg = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{title}: {axis} by share of the trial")
    return tag("figure", tag("figcaption", title), svg, cls="panel")


def _curve(line: Line, points: Sequence[tuple[float, float]]) -> Markup:
    cls = f"curve s{line.colour}" + (" strong" if line.strong else "")
    hover = tag("title", line.label)
    marks = [tag("circle", hover, cx=x, cy=y, r=3.4 if line.strong else 2.4, cls=cls) for x, y in points]
    if len(points) > 1:
        path = "M" + " L".join(f"{x} {y}" for x, y in points)
        marks.insert(0, tag("path", hover, d=path, cls=cls))
    return tag("g", *marks)


class Panel:
    """Axes over a range of values; places in the picture."""

    def __init__(self, values: Sequence[float]) -> None:
        self.ticks = nice_ticks(min(values), max(values))

    def across(self, share: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)

    def up(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low), 1)

    def figure(self, parts: Sequence[Markup], marks: Sequence[tuple[float, str]], axis: str, title: str, said: str = "") -> Markup:
        """`marks` are (share of the width, text) below the axis; `said` stands below the picture."""
        frame = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=self.up(tick), y2=self.up(tick), cls="grid") for tick in self.ticks]
        frame += [tag("text", f"{tick:g}", x=LEFT - 8, y=self.up(tick) + 4, cls="tick end") for tick in self.ticks]
        for share, text in marks:
            frame.append(tag("text", text, x=self.across(share), y=HEIGHT - BOTTOM + 17, cls="tick end" if share == 1 else "tick middle"))
        frame.append(tag("text", axis, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, cls="axis middle"))
        svg = tag("svg", *frame, *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{title}. {said}".strip())
        return tag("figure", tag("figcaption", title), svg, tag("p", said, cls="lead") if said else None, cls="panel")


def scatter(
    points: Sequence[tuple[float, float]],
    across: str,
    upwards: str,
    *,
    weights: Sequence[int] | None = None,
    bounds: tuple[float, float] | None = None,
) -> Markup:
    """Pairs of numbers of one kind on one scale, the points' or `bounds`; on the diagonal they are equal. With `weights`, rows a point, its
    area shows them."""
    ticks = nice_ticks(*bounds, 6) if bounds else nice_ticks(min(map(min, points)), max(map(max, points)))
    low, high = ticks[0], ticks[-1]
    size = HEIGHT - TOP - BOTTOM + 90

    def place(x: float, y: float) -> tuple[float, float]:
        return round(LEFT + 14 + size * (x - low) / (high - low), 1), round(TOP + size * (high - y) / (high - low), 1)

    parts = []
    for tick in ticks:
        x, y = place(tick, tick)
        parts.append(tag("line", x1=LEFT + 14, x2=LEFT + 14 + size, y1=y, y2=y, cls="grid"))
        parts.append(tag("text", f"{tick:g}", x=LEFT + 6, y=y + 4, cls="tick end"))
        parts.append(tag("text", f"{tick:g}", x=x, y=TOP + size + 17, cls="tick middle"))
    (left, bottom), (right, top) = place(low, low), place(high, high)
    parts.append(tag("line", x1=left, x2=right, y1=bottom, y2=top, cls="diagonal"))
    heaviest = max(weights) if weights else 1
    for number, (x, y) in enumerate(points):
        across_at, up_at = place(x, y)
        radius = round(3 + 11 * math.sqrt(weights[number] / heaviest), 1) if weights else 3
        hover = f"{across} {x:.4g}, {upwards} {y:.4g}" + (f" ({weights[number]:,})" if weights else "")
        parts.append(tag("circle", tag("title", hover), cx=across_at, cy=up_at, r=radius, cls="spot"))
    parts.append(tag("text", across, x=(left + right) / 2, y=TOP + size + 35, cls="axis middle"))
    parts.append(tag("text", upwards, x=12, y=TOP + size / 2, transform=f"rotate(-90 12 {TOP + size / 2})", cls="axis middle"))
    view = f"0 0 {LEFT + 14 + size + 20} {TOP + size + 42}"
    return tag("figure", tag("svg", *parts, viewBox=view, role="img", aria_label=f"{upwards} by {across}"), cls="panel square")


@dataclass(frozen=True)
class Spot:
    """A point of `spots`: `size` is the area of its mark, 1 the largest. `colour` is 0 to 7."""

    label: str
    x: float
    y: float
    size: float
    colour: int
    strong: bool = False


def spots(points: Sequence[Spot], across: str, upwards: str, limit: float | None = None) -> Markup:
    """Two figures and a size of each thing; those that are `strong` are joined, and a dashed line stands at the limit of x."""
    xs = nice_ticks(0.0, max([*(point.x for point in points), limit or 0.0]))
    ys = nice_ticks(min(point.y for point in points), max(point.y for point in points))

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + wide * x / xs[-1], 1), round(HEIGHT - BOTTOM - high * (y - ys[0]) / (ys[-1] - ys[0]), 1)

    parts = []
    for tick in ys:
        _, y = place(0, tick)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, cls="grid"))
        parts.append(tag("text", f"{tick:g}", x=LEFT - 8, y=y + 4, cls="tick end"))
    for tick in xs:
        x, _ = place(tick, ys[0])
        parts.append(tag("text", f"{tick:g}", x=x, y=HEIGHT - BOTTOM + 17, cls="tick middle"))
    if limit is not None:
        x, _ = place(limit, ys[0])
        parts.append(tag("line", tag("title", f"the limit: {limit:g}"), x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, cls="diagonal"))
    front = sorted((point.x, point.y) for point in points if point.strong)
    if len(front) > 1:
        path = "M" + " L".join("{} {}".format(*place(x, y)) for x, y in front)
        parts.append(tag("path", d=path, cls="curve diagonal"))
    for point in points:
        x, y = place(point.x, point.y)
        radius = round(3 + 9 * math.sqrt(point.size), 1)
        cls = f"curve s{point.colour}" + (" strong" if point.strong else "")
        parts.append(tag("circle", tag("title", point.label), cx=x, cy=y, r=radius, cls=cls))
    parts.append(tag("text", across, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, cls="axis middle"))
    svg = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{upwards} by {across}")
    return tag("figure", tag("figcaption", upwards), svg, cls="panel square")


def marked(row: Marked) -> Markup:
    """A text with the entities in it: what the model found, missed and invented, each with its kind."""
    edges = sorted({0, len(row.text), *(span.start for span in row.spans), *(span.end for span in row.spans)})
    parts: list[Markup | str] = []
    for start, end in pairwise(edges):
        over = [span for span in row.spans if span.start <= start and end <= span.end]
        states = " ".join(sorted({span.state for span in over}))
        parts.append(tag("mark", row.text[start:end], cls=states) if over else row.text[start:end])
        for span in over:
            if span.end == end:
                parts.append(tag("small", f" {span.name}" + ("" if span.state == "right" else f" {span.state}"), cls=span.state))
    return tag("blockquote", *parts, dir="auto")


def legend(names: Mapping[str, int]) -> Markup:
    """Candidates with their colours."""
    return tag("div", *[tag("span", tag("i", cls=f"dot b{colour}"), name) for name, colour in names.items()], cls="legend")


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values that enclose [low, high]: multiples of 1, 2 or 5 times a power of ten."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        pad = abs(high) * 0.1 or 0.5
        low, high = low - pad, high + pad
    raw = (high - low) / (count - 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if raw <= factor * power * 1.0000001)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def intervals(bars: Sequence[tuple[str, float, float, float, str]]) -> Markup:
    """Figures with their intervals on one scale: (name, value, low, high, class)."""
    ticks = nice_ticks(min(low for _, _, low, _, _ in bars), max(high for _, _, _, high, _ in bars))
    low, high = ticks[0], ticks[-1]

    def share(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = []
    for name, value, start, end, cls in bars:
        whisker = tag("span", cls="whisker", style=f"left:{share(start)}%;width:{round(share(end) - share(start), 2)}%")
        point = tag("span", cls="point", style=f"left:{share(value)}%")
        said = tag("span", tag("b", f"{value:.3f}"), f" ({start:.3f} to {end:.3f})", cls="said")
        rows.append(
            tag(
                "div",
                tag("div", tag("span", name, cls="name"), said, cls="head"),
                tag("div", whisker, point, cls="track"),
                cls=f"bar {cls}",
            )
        )
    scale = [tag("span", f"{tick:g}", style=f"left:{share(tick)}%") for tick in ticks]
    return tag("div", *rows, tag("div", *scale, cls="scale"), cls="intervals")


def timeline(spans: Sequence[tuple[str, float, float, str, str]]) -> Markup:
    """(name, start, seconds, class, hover) in seconds on any common clock."""
    first = min(start for _, start, _, _, _ in spans)
    total = max(start + seconds for _, start, seconds, _, _ in spans) - first or 1.0
    rows = []
    for name, start, seconds, cls, hover in spans:
        left, width = 100 * (start - first) / total, 100 * seconds / total
        box = tag("span", cls=f"span {cls}", style=f"left:{left:.2f}%;width:{max(width, 0.4):.2f}%", title=hover)
        rows.append(
            tag(
                "div",
                tag("span", name, cls="name", title=hover),
                tag("div", box, cls="lane"),
                tag("span", duration(seconds), cls="num"),
                cls="row",
            )
        )
    lane = tag("div", *[tag("span", duration(total * i / 4), style=f"left:{25 * i}%") for i in range(5)], cls="lane scale")
    axis = tag("div", tag("span", cls="name"), lane, tag("span", cls="num"), cls="row")
    return tag("div", *rows, axis, cls="timeline")


def confusion_table(confusion: Confusion) -> Markup:
    """Up to a dozen classes: numbers on a heat map, each row coloured by its share."""
    head = tag(
        "tr",
        tag("th", "truth ↓ / answer →", cls="corner", scope="col"),
        *[tag("th", tag("span", label), scope="col") for label in confusion.labels],
    )
    rows = []
    for i, (label, counts) in enumerate(zip(confusion.labels, confusion.matrix, strict=True)):
        total = sum(counts) or 1
        cells = []
        for j, count in enumerate(counts):
            share = count / total
            cls = ("right" if i == j else "wrong") + (" hot" if share > 0.5 else "")
            hover = f"{label} answered as {confusion.labels[j]}: {count} of {sum(counts)}"
            cells.append(tag("td", count or "·", cls=cls, style=f"--v:{100 * share:.0f}%", title=hover))
        rows.append(tag("tr", tag("th", label, scope="row"), *cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), cls="confusion"), cls="scroll")


def confusion_map(confusion: Confusion) -> Markup:
    """Many classes: one square for each pair that occurs."""
    size = len(confusion.labels)
    cell = 460 / size
    squares = [tag("rect", x=0, y=0, width=460, height=460, cls="empty")]
    for i, counts in enumerate(confusion.matrix):
        total = sum(counts) or 1
        for j, count in enumerate(counts):
            if count:
                hover = tag("title", f"{confusion.labels[i]} answered as {confusion.labels[j]}: {count} of {total}")
                box = {"x": round(j * cell, 2), "y": round(i * cell, 2), "width": round(cell, 2), "height": round(cell, 2)}
                squares.append(
                    tag("rect", hover, cls="right" if i == j else "wrong", fill_opacity=round(0.15 + 0.85 * count / total, 2), **box)
                )
    svg = tag("svg", *squares, viewBox="0 0 460 460", role="img", aria_label="confusion matrix")
    return tag("figure", svg, tag("figcaption", "rows: truth, columns: answer; the diagonal is right"), cls="panel square")


def score_bar(value: float | None, low: float, high: float) -> Markup:
    """A figure with a bar beneath it, on the scale of the column."""
    if value is None:
        return tag("span", "-", cls="num")
    share = 100 * (value - low) / (high - low) if high > low else 100
    return join(
        tag("span", figure(value), cls="num"), tag("span", tag("i", style=f"width:{min(100.0, max(2.0, share)):.1f}%"), cls="meter")
    )
