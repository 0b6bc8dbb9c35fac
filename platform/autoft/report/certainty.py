"""How far the model's probabilities can be taken at their word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from autoft.interfaces.result import Calibration
from autoft.report import charts
from autoft.report.data import Certainty, Kept, ReportData
from autoft.report.markup import Markup, join, section, tag


def calibration_in_words(found: Calibration) -> str:
    """Some sentences, of the validation rows."""
    if found.ece_before is None:
        return f"How far the probabilities can be taken at their word was not measured: {found.reason}."
    rows, before = f"{found.rows:,} validation rows", f"{100 * found.ece_before:.1f} points"
    if not found.folded or found.ece_after is None:
        return f"On {rows} the probabilities are off by {before} on average. They were left as they are: {found.reason}."
    how = "one factor, the temperature" if found.method == "temperature" else "a scale and a shift a label"
    return (
        f"Before calibration the probabilities were off by {before} on average, after it, on rows that were held out, by "
        f"{100 * found.ece_after:.1f}. What was fitted to {rows} ({how}) is part of the weights, so that every way to load the model gives "
        "the same probabilities. Which answer is given did not change by it."
    )


def calibration_of(result: Mapping[str, Any]) -> Calibration | None:
    """What result.json says of it; None where it says nothing."""
    try:
        return Calibration.model_validate(result.get("calibration"))
    except ValidationError:
        return None


def certainty_section(result: Mapping[str, Any], data: ReportData) -> Markup | None:
    """None where answers have no probabilities."""
    if not data.certainties:
        return None
    found, rows = calibration_of(result), sum(one.rows for one in data.certainties)
    off = sum(one.rows * abs(one.said - one.right) for one in data.certainties) / rows
    said = f"On the test rows its probabilities are off by {100 * off:.1f} points on average. " + (
        calibration_in_words(found) if found else ""
    )
    lead = "Of the answers that the model calls 90 % likely, nine in ten should be right. This is how near it comes to that."
    picture = _reliability(data.certainties, labels=data.kind == "labels")
    return section("Is it as sure as it should be?", lead, tag("p", said), picture, _leaving(data.kept))


def _reliability(certainties: Sequence[Certainty], *, labels: bool) -> Markup:
    """A reliability diagram (DeGroot and Fienberg, The Statistician 32, 1983)."""
    what = "labels of test rows, given or not" if labels else "test rows"
    picture = charts.scatter(
        [(one.said, one.right) for one in certainties],
        "how likely the model says it is",
        "how often it is so",
        weights=[one.rows for one in certainties],
        bounds=(0.0, 1.0),
    )
    groups = f"Each circle is a group of {what} with like probabilities; the larger, the more."
    return join(picture, tag("p", f"{groups} On the line the model keeps its word; below it, it is too sure of itself.", cls="lead"))


def _leaving(kept: Sequence[Kept]) -> Markup | None:
    """What a threshold on certainty would bring."""
    if not kept:
        return None
    head = tag("tr", *[tag("th", name, cls="right-align") for name in ("answers from", "answered", "right of these")])
    body = [
        tag("tr", *[tag("td", cell, cls="num right-align") for cell in (f"{one.threshold:.0%}", f"{one.share:.1%}", _share(one.right))])
        for one in kept
    ]
    lead = "Test rows, if answers that are less sure were left to a person: autoft predict and serve mark them with --abstain-below."
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
    return join(tag("h3", "Leaving out what it is not sure of"), tag("p", lead, cls="lead"), table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
