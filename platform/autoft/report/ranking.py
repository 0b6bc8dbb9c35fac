"""The ranking of the sources before they were tuned, and whether it was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoft.progress import duration, figure
from autoft.report.markup import Markup, section, tag

_MEANING = {
    "H-score": "0: the features of the source set the classes no farther apart than chance does; 1: as far as can be",
    "LogME": "the evidence for a linear model on the features of the source, in nats a row; -1.42 where they tell nothing",
}


def ranking_section(ranking: object, metric: str, *, greater_is_better: bool) -> Markup | None:
    """`ranking` is that of result.json; None where nothing was ranked."""
    if not isinstance(ranking, Sequence) or not ranking:
        return None
    rows = [row for row in ranking if isinstance(row, Mapping)]
    measure = str(rows[0].get("measure", ""))
    meaning = _MEANING.get(measure, "the greater, the better")
    lead = f"Before anything was tuned, from {rows[0].get('rows')} of the training rows. {measure}: {meaning}."
    names = ("source", measure, "time", f"best {metric} later")
    head = tag("tr", tag("th", ""), *[tag("th", name, cls="right-align" if place else None) for place, name in enumerate(names)])
    body = [_row(place, row) for place, row in enumerate(rows, start=1)]
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
    said = _hindsight(rows, metric, greater_is_better)
    return section("Which source promised most", lead, table, tag("p", said) if said else None)


def _row(place: int, row: Mapping[str, Any]) -> Markup:
    later = figure(row.get("best_value_later")) if row.get("tuned") else "not tuned"
    cells = (figure(row.get("score")), duration(float(row.get("seconds") or 0.0)), later)
    return tag(
        "tr", tag("td", place, cls="rank num"), tag("td", row.get("source")), *[tag("td", cell, cls="num right-align") for cell in cells]
    )


def _hindsight(rows: Sequence[Mapping[str, Any]], metric: str, greater_is_better: bool) -> str:
    """In a sentence; empty where fewer than two of the ranked sources came to a figure."""
    tried = [row for row in rows if row.get("score") is not None and row.get("best_value_later") is not None]
    if len(tried) < 2:
        return ""
    best = (max if greater_is_better else min)(tried, key=lambda row: float(row["best_value_later"]))
    if best["best_value_later"] == tried[0]["best_value_later"]:
        return f"It was right: of the sources that were tuned, the one it put first came to the best {metric} on the validation rows."
    return (
        f"It was wrong: {best['source']} came to {metric} {figure(best['best_value_later'])} on the validation rows, "
        f"{tried[0]['source']}, which it put before it, to {figure(tried[0]['best_value_later'])}."
    )
