"""Whether more time or more rows would help: in words, and as a part of the report."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from autoft.interfaces.result import Estimate, MoreRows, MoreTime, Outlook
from autoft.progress import duration, figure
from autoft.report.charts import Panel
from autoft.report.markup import Markup, section, tag

_MARGIN = 0.12
"""The share of the width left free beside the first and the last size."""


def time_in_words(more: MoreTime) -> str:
    """A sentence, and another where candidates were not begun."""
    if more.gain is None:
        said = "Too few trials ended to tell whether more time would help."
    elif more.helps == "yes":
        said = f"More time may help: the second half of the search added {_said(more.gain)} on the validation rows."
    elif more.helps == "no":
        said = "More time for the search would hardly help: its second half found nothing better."
    else:
        said = f"What the second half of the search added on the validation rows, {_said(more.gain)}, may be chance."
    return f"{said} There was no time to try {', '.join(more.untried)}." if more.untried else said


def rows_in_words(more: MoreRows, winner: str) -> str:
    """A sentence; `winner` is the candidate that is exported."""
    words = {"yes": "More rows would help", "no": "More rows would hardly help", "unclear": "Whether more rows would help cannot be told"}
    of = "it" if more.candidate == winner else f"{more.candidate}, measured in its place,"
    return f"{words[more.helps]}: with twice as many {of} would gain about {_said(more.gain)}."


def outlook(result: Mapping[str, Any]) -> Markup | None:
    """The section; None where result.json says nothing of it. `result` is its content."""
    try:
        found = Outlook.model_validate(result.get("outlook"))
    except ValidationError:
        return None
    metric, best = str(result.get("metric", "score")), result.get("best")
    winner = str(best.get("candidate", "")) if isinstance(best, Mapping) else ""
    panels = [_course(found.time, metric), _sizes(found.rows, metric, winner) if found.rows else None]
    if not any(panels):
        return None
    lead = "What the search had found after how much work, and what rows are worth: the validation rows tell both."
    return section("Would more help?", lead, tag("div", *panels, cls="panels"))


def _course(found: MoreTime, metric: str) -> Markup | None:
    """The best figure so far, step by step."""
    steps = found.course
    if not steps:
        return None
    whole = max(found.seconds, steps[-1].seconds) or 1.0
    panel = Panel([step.value for step in steps])
    places = [(panel.across(step.seconds / whole), panel.up(step.value)) for step in steps]
    path = f"M{places[0][0]} {places[0][1]}"
    for (_, before), (x, y) in pairwise(places):
        path += f" L{x} {before} L{x} {y}"
    parts = [tag("path", d=f"{path} L{panel.across(1)} {places[-1][1]}", cls="curve s0 strong")]
    for step, (x, y) in zip(steps, places, strict=True):
        hover = tag("title", f"trial {step.trial}: {metric} {figure(step.value)}")
        parts.append(tag("circle", hover, cx=x, cy=y, r=3.4, cls="curve s0 strong"))
    marks = [(share, duration(whole * share)) for share in (0, 0.25, 0.5, 0.75, 1)]
    return panel.figure(parts, marks, "time of all trials, added up", f"The best {metric} so far", time_in_words(found))


def _sizes(found: MoreRows, metric: str, winner: str) -> Markup:
    """What a candidate learned from parts of the rows, and the curve drawn on."""
    sizes = [*found.sizes, found.twice]
    panel = Panel([bound for size in sizes for bound in (size.figure.low, size.figure.high)])
    shares = [_MARGIN + (1 - 2 * _MARGIN) * place / (len(sizes) - 1) for place in range(len(sizes))]
    places = [(panel.across(share), panel.up(size.figure.value)) for share, size in zip(shares, sizes, strict=True)]
    parts = [
        tag("path", d="M" + " L".join(f"{x} {y}" for x, y in places[:-1]), cls="curve s0 strong"),
        tag("path", d="M" + " L".join(f"{x} {y}" for x, y in places[-2:]), cls="curve s0 strong drawn-on"),
    ]
    for (x, y), size in zip(places, sizes, strict=True):
        drawn_on = size is found.twice
        hover = tag("title", f"{size.rows:,} rows: {metric} {_said(size.figure)}" + (", not measured" if drawn_on else ""))
        parts.append(tag("path", hover, d=f"M{x} {panel.up(size.figure.low)} L{x} {panel.up(size.figure.high)}", cls="curve s0"))
        parts.append(tag("circle", hover, cx=x, cy=y, r=4.2, cls="curve s0 strong" + (" drawn-on" if drawn_on else "")))
    marks = [(share, f"{size.rows:,}") for share, size in zip(shares, sizes, strict=True)]
    title = f"{metric} of {found.candidate} by the rows it learned from; hollow: drawn on, not measured"
    return panel.figure(parts, marks, "rows", title, rows_in_words(found, winner))


def _said(estimate: Estimate) -> str:
    sure = estimate.low == estimate.high
    return f"{estimate.value:.3f}" + ("" if sure else f" ({estimate.low:.3f} to {estimate.high:.3f})")
