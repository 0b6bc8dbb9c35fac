"""report.html: one file that opens anywhere, offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autoft.interfaces.events import TrialFinished
from autoft.progress import example_inputs
from autoft.report.answers import confusion_section, marked_section, mistakes_section, points_section, tallies_section
from autoft.report.certainty import certainty_section
from autoft.report.data import ReportData, completed
from autoft.report.facts import facts_section
from autoft.report.limits import limits_section
from autoft.report.markup import Markup, join, section, tag
from autoft.report.outlook import outlook
from autoft.report.proof import proof_section
from autoft.report.ranking import ranking_section
from autoft.report.result import dig
from autoft.report.trials import curves_section, leaderboard_section, timeline_section
from autoft.report.verdict import verdict_section


def write_report(folder: Path, result: Mapping[str, Any], rows: Iterable[TrialFinished], data: ReportData | None = None) -> Path:
    """Write report.html into the run's folder. `rows` are the leaderboard, best first; what `data` leaves open is read from the folder."""
    known = completed(data or ReportData(), folder, str(result.get("metric", "")))
    path = folder / "report.html"
    aside = path.with_name(path.name + ".new")
    aside.write_text(report_html(result, list(rows), known), encoding="utf-8")
    return aside.replace(path)


def report_html(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData) -> str:
    """The page. Every text in it is escaped."""
    title = data.title or f"{dig(result, 'best', 'candidate') or 'no model'} on {Path(data.data).name or 'your data'}"
    parts = [
        _header(result, title),
        verdict_section(result, rows),
        leaderboard_section(result, rows, data.curves or ()),
        ranking_section(result.get("ranking"), str(result.get("metric", "")), greater_is_better=data.greater_is_better),
        curves_section(result, rows, data),
        outlook(result),
        limits_section(result),
        confusion_section(data.confusion),
        tallies_section(data),
        points_section(data.points, str(result.get("metric", ""))),
        certainty_section(result, data),
        mistakes_section(data),
        marked_section(data.marked),
        proof_section(data.proof),
        timeline_section(result, rows, data),
        facts_section(result, data),
        _notes(data.notes or ()),
        _next(result),
        tag("footer", f"Written by autoft. Run {result.get('run_id', '')}. This page needs no network."),
    ]
    return page(title, parts)


def page(title: str, parts: Iterable[Markup | None]) -> str:
    """A whole page that opens anywhere, offline."""
    head = join(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Markup("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"),
        tag("title", f"autoft: {title}"),
        Markup(f"<style>{_style()}</style>"),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{tag("main", *parts)}</body></html>\n'


def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def _header(result: Mapping[str, Any], title: str) -> Markup:
    status = str(result.get("status", ""))
    kicker = " · ".join(str(part) for part in (result.get("task"), result.get("run_id"), "" if status == "done" else status) if part)
    return tag("header", tag("p", kicker, cls="kicker"), tag("h1", title))


def _notes(notes: tuple[str, ...]) -> Markup | None:
    if not notes:
        return None
    return section("What was decided, and why", "", tag("ul", *[tag("li", note) for note in notes]))


def _next(result: Mapping[str, Any]) -> Markup:
    bundle = str(result.get("bundle") or "bundle")
    commands = f"autoft predict {bundle} {example_inputs(result.get('columns'))}\nautoft serve {bundle}"
    return section("What to do next", "In the folder of this report:", tag("pre", tag("code", commands)))
