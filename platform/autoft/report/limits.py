"""What was exported within the user's limits: figure, time and size of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoft.progress import figure
from autoft.report.charts import COLOURS, Spot, legend, spots
from autoft.report.markup import Markup, section, tag


def limits_section(result: Mapping[str, Any]) -> Markup | None:
    """None where there were no limits."""
    limits = result.get("limits")
    if not isinstance(limits, Mapping) or not limits.get("options"):
        return None
    metric, options = str(result.get("metric", "")), [one for one in limits["options"] if isinstance(one, Mapping)]
    latency, size = limits.get("max_latency_seconds"), limits.get("max_bytes")
    asked = [f"{1000 * latency:.3g} ms (95 of 100 rows, asked one by one)"] if latency else []
    asked += [f"{size / 1e6:.3g} MB"] if size else []
    kept = "The best within them was taken." if limits.get("met") else "Nothing keeps within them; the nearest was taken."
    lead = f"At most {' and '.join(asked)}, with {limits.get('threads')} threads of this machine. {kept}"
    taken = _taken(result)
    names = ("candidate", "format", f"validation {metric}", "half of the rows", "95 of 100 rows", "size", "")
    head = tag("tr", *[tag("th", name, cls="right-align" if 1 < place < 6 else None) for place, name in enumerate(names)])
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *[_row(one, taken) for one in options])), cls="scroll")
    return section("Within your limits", lead, *_chart(options, metric, latency), table)


def _taken(result: Mapping[str, Any]) -> tuple[object, object]:
    best, formats = result.get("best"), result.get("formats")
    trial = best.get("trial") if isinstance(best, Mapping) else None
    return trial, formats[0].get("name") if isinstance(formats, Sequence) and formats else None


def _row(one: Mapping[str, Any], taken: tuple[object, object]) -> Markup:
    over = float(one["times_over"])
    said = "taken" if (one["trial"], one["format"]) == taken else ""
    said += (", " if said else "") + (f"{100 * (over - 1):.0f} % over" if over > 1 else "within")
    said += ", front" if one.get("front") else ""
    cells = (figure(one.get("value")), _ms(one["p50_seconds"]), _ms(one["p95_seconds"]), _mb(one["bytes"]))
    numbers = [tag("td", cell, cls="num right-align") for cell in cells]
    return tag("tr", tag("td", one["candidate"]), tag("td", one["format"]), *numbers, tag("td", said))


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _chart(options: Sequence[Mapping[str, Any]], metric: str, latency: float | None) -> list[Markup]:
    """Time across, the metric upwards, the size as the area of the mark; the front is joined."""
    shown = [one for one in options if one.get("value") is not None]
    if not shown:
        return []
    colours = {name: place % COLOURS for place, name in enumerate(dict.fromkeys(str(one["candidate"]) for one in shown))}
    largest = max(one["bytes"] for one in shown) or 1
    points = [
        Spot(
            f"{one['candidate']} as {one['format']}: {figure(one['value'])}, {_ms(one['p95_seconds'])}, {_mb(one['bytes'])}",
            1000 * one["p95_seconds"],
            float(one["value"]),
            one["bytes"] / largest,
            colours[str(one["candidate"])],
            bool(one.get("front")),
        )
        for one in shown
    ]
    across = "milliseconds for 95 of 100 rows; the larger a mark, the larger the files"
    chart = spots(points, across, metric, 1000 * latency if latency else None)
    return [legend(colours), chart]
