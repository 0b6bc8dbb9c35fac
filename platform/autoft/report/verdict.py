"""The verdict, in words and in a few figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoft.interfaces.events import TrialFinished
from autoft.progress import duration, figure
from autoft.report import charts
from autoft.report.markup import Markup, join, section, tag
from autoft.report.result import dig, interval_of, is_number


def verdict_section(result: Mapping[str, Any], rows: list[TrialFinished]) -> Markup:
    """Never left out: a run without a model has that as its verdict."""
    metric = str(result.get("metric", ""))
    interval = result.get("interval") if isinstance(result.get("interval"), Mapping) else {}
    tiles = []
    test, base = dig(result, "best", "test", metric), dig(result, "baseline", "test", metric)
    if is_number(test):
        tiles.append(_tile(figure(test), f"{metric} on the test rows"))
    if is_number(base):
        tiles.append(_tile(figure(base), f"the baseline, {dig(result, 'baseline', 'candidate') or ''}"))
    lead = interval_of(dig(interval, "lead"))
    if lead:
        tiles.append(_tile(f"{lead[0]:+.3f}", f"ahead of the baseline ({lead[1]:+.3f} to {lead[2]:+.3f})"))
    verified = result.get("verified")
    if isinstance(verified, Mapping) and "passed" in verified:
        words, cls = ("proved", "good") if verified["passed"] else ("refused", "bad")
        tiles.append(_tile(tag("em", words, cls=cls), "the exported model, held against the trained one"))
    tiles.append(_tile(str(result.get("trials", len(rows))), "trials"))
    if is_number(result.get("seconds")):
        tiles.append(_tile(duration(float(result["seconds"])), "from the command to the result"))
    bars = []
    winner, baseline = interval_of(dig(interval, "winner")), interval_of(dig(interval, "baseline"))
    if winner:
        bars.append((str(dig(result, "best", "candidate") or "winner"), *winner, "winner"))
    if baseline:
        bars.append((f"{dig(result, 'baseline', 'candidate') or 'baseline'} (baseline)", *baseline, "base"))
    second = interval_of(dig(result, "runner_up", "interval", "runner_up"))
    if second and dig(result, "runner_up", "rows") == "test":
        bars.append((f"{dig(result, 'runner_up', 'candidate')} (runner-up, as the search left it)", *second, "base"))
    picture = None
    if bars:
        lead_text = f"{metric} on the test rows, with the range in which it lies with 95 % confidence"
        picture = join(
            tag("h3", "Against the baseline" + (" and the runner-up" if len(bars) > 2 else "")),
            tag("p", lead_text, cls="lead"),
            charts.intervals(bars),
        )
    said = tag("p", result.get("verdict") or "There is no verdict: the run left no model.", cls="verdict")
    return section("Verdict", "", said, tag("div", *tiles, cls="tiles"), picture)


def _tile(value: Any, words: str) -> Markup:
    return tag("div", tag("b", value), tag("span", words), cls="tile")
