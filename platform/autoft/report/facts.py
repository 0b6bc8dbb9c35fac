"""The task, the data, and what the run was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoft.progress import duration, figure
from autoft.report.data import ReportData
from autoft.report.markup import Markup, join, section, tag
from autoft.report.result import dig, is_number


def facts_section(result: Mapping[str, Any], data: ReportData) -> Markup:
    """What is not known is left out."""
    facts: list[tuple[str, Any]] = [("data", data.data), ("task", result.get("task"))]
    columns = result.get("columns")
    if isinstance(columns, Mapping):
        facts.append(("columns", ", ".join(f"{role}: {_listed(names)}" for role, names in columns.items())))
    parts = result.get("rows")
    if isinstance(parts, Mapping):
        facts.append(("rows", ", ".join(f"{number} {part}" for part, number in parts.items())))
    if data.classes:
        several = data.kind == "labels"  # then their shares add up to nothing
        total = sum(data.classes.values()) or 1
        common = sorted(data.classes.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{label} {number}" + ("" if several else f" ({100 * number / total:.0f} %)") for label, number in common[:12])
        facts.append(("labels" if several else "classes", shown + (f" and {len(common) - 12} more" if len(common) > 12 else "")))
    elif result.get("classes"):
        facts.append(("classes", ", ".join(map(str, result["classes"]))))
    for part in ("validation", "test"):
        figures = dig(result, "best", part)
        if isinstance(figures, Mapping) and figures:
            facts.append((f"winner, {part}", ", ".join(f"{name} {figure(v)}" for name, v in figures.items() if is_number(v))))
    confirmed = result.get("confirmed")
    if isinstance(confirmed, Mapping):
        facts.append(
            ("confirmed by", ", ".join(f"{number} {kind}" for kind, number in confirmed.items() if number) or "nothing: there was no time")
        )
    budget, averaged = result.get("budget"), dig(result, "best", "averaged")
    facts += [
        ("refit", {True: "yes, on all rows that are not test", False: "no"}.get(result.get("refit"))),  # type: ignore[arg-type]
        ("weights", f"the mean of those of trials {', '.join(map(str, averaged))}" if averaged else None),
        ("budget", duration(budget) if isinstance(budget, int | float) else None),
        ("seed", result.get("seed")),
    ]
    shown_facts = [join(tag("dt", name), tag("dd", value)) for name, value in facts if value not in (None, "")]
    return section("The task and the data", "", tag("dl", *shown_facts, cls="facts"))


def _listed(names: object) -> str:
    return " + ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)
