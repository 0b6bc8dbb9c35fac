"""The tables of docs/benchmarks.md, as markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from search.plan import FEW_STEPS, LIKE_SETFIT, SOURCE
from search.standings import Entry, Lead, entries, leads, published, read_rows
from search.systems import FREE

MINUTES = "300 s"
NEEDED_ACCURACY = 0.92
"""Of product_reviews at free choice, in every seed."""


def tables(rows: Path, peers: Path) -> str:
    """All that has been measured so far."""
    found, before = entries(read_rows(rows)), published(peers)
    whole = [entry for entry in found if "-" not in entry.data]
    ours = [entry for entry in whole if entry.system == "autoft"]
    rivals = [entry for entry in whole if entry.system != "autoft"] + [entry for entry in before if "-" not in entry.data]
    given = [entry for entry in rivals if entry.source == SOURCE]
    one = [entry for entry in ours if entry.source == SOURCE and entry.setting == MINUTES]
    free = [entry for entry in ours if entry.source == FREE and entry.setting == MINUTES]
    hundred = [entry for entry in ours if entry.setting == "100 s"]
    few = [entry for entry in found if "-" in entry.data] + [entry for entry in before if "-" in entry.data]
    parts = [
        ("One source given to all, five minutes", _compared(one, given, aim=0.015)),
        ("Free choice among the sources at hand, five minutes", _compared(free, rivals, aim=0.05) + _every_seed(free)),
        ("The best peer's score within 100 s", _hundred(hundred, one, given)),
        ("Eight rows a class", _few(few)),
    ]
    if not found:
        return "nothing has been measured yet\n"
    commits = sorted({row["code"] for entry in found if entry.system == "autoft" for row in entry.rows})
    return "\n".join(f"### {title}\n\n{text}" for title, text in parts if text) + f"\nautoft at {', '.join(commits)}.\n"


def _compared(ours: Sequence[Entry], peers: Sequence[Entry], aim: float) -> str:
    """Every system, then the differences and what the aim asks of them."""
    if not ours:
        return ""
    names = {entry.data for entry in ours}
    found = leads(ours, peers)
    return _systems([*(peer for peer in peers if peer.data in names), *ours]) + _leads(found, aim)


def _systems(shown: Sequence[Entry]) -> str:
    head = ["data", "system", "setting", "seeds", "accuracy", "macro-F1", "wall seconds", "core-seconds", "busy"]
    lines = []
    for entry in sorted(shown, key=lambda entry: (entry.data, entry.system == "autoft", entry.f1)):
        seeds = "1, before" if entry.published else str(len(entry.rows))
        system = f"{entry.system}, {entry.source}" if entry.source != SOURCE else entry.system
        figures = [_spread(entry, name, 3) for name in ("accuracy", "f1_macro")]
        costs = [_spread(entry, name, digits) for name, digits in (("wall", 0), ("core_seconds", 0), ("busy", 2))]
        lines.append([entry.data, system, entry.setting, seeds, *figures, *costs])
    return _table(head, lines)


def _leads(found: Sequence[Lead], aim: float) -> str:
    lines = [
        [
            lead.ours.data,
            f"{lead.ours.f1:.3f}",
            f"{lead.peer.system} {lead.peer.f1:.3f}",
            f"{100 * lead.difference:+.1f}",
            "-" if lead.noise is None else f"{100 * lead.noise:.1f}",
        ]
        for lead in sorted(found, key=lambda lead: lead.ours.data)
    ]
    table = _table(["data", "autoft, macro-F1", "best peer", "difference, points", "noise (two standard errors)"], lines)
    if not found:
        return table
    average = mean(lead.difference for lead in found)
    below = [lead.ours.data for lead in found if lead.below]
    verdict = "reached" if average >= aim and not below else "**falls short**"
    under = f"below by more than the noise on {', '.join(below)}" if below else "below on none by more than the noise"
    return f"{table}Mean over {len(found)} sets: {100 * average:+.1f} points (aim: {100 * aim:g}); {under}: {verdict}.\n\n"


def _every_seed(free: Sequence[Entry]) -> str:
    values = [value for entry in free if entry.data == "product_reviews" for value in entry.values("accuracy")]
    if not values:
        return ""
    reached = sum(value >= NEEDED_ACCURACY for value in values)
    each = ", ".join(f"{value:.3f}" for value in values)
    return f"product_reviews, accuracy of {NEEDED_ACCURACY}: in {reached} of {len(values)} seeds ({each}).\n\n"


def _hundred(hundred: Sequence[Entry], whole: Sequence[Entry], peers: Sequence[Entry]) -> str:
    """What 100 s reach, and when the winner of five minutes had ended."""
    if not hundred:
        return ""
    found = {entry.data: _spread(entry, "winner_seconds", 0) for entry in whole}
    lines = []
    for lead in sorted(leads(hundred, peers), key=lambda lead: lead.ours.data):
        scores = lead.ours.values("f1_macro")
        reached = f"{sum(score >= lead.peer.f1 for score in scores)} of {len(scores)}"
        name = lead.ours.data
        best = f"{lead.peer.system} {lead.peer.f1:.3f}"
        lines.append([name, best, _spread(lead.ours, "f1_macro", 3), _spread(lead.ours, "wall", 0), reached, found.get(name, "-")])
    head = ["data", "best peer at five minutes, macro-F1", "autoft in 100 s", "wall seconds", "seeds that reach it"]
    return _table([*head, "end of the winning trial of five minutes, s"], lines)


def _few(shown: Sequence[Entry]) -> str:
    ours = [entry for entry in shown if entry.system == "autoft" and entry.setting == LIKE_SETFIT]
    beside = [entry for entry in shown if entry.system == "setfit" and entry.setting == FEW_STEPS]
    if not ours:
        return ""
    names = {entry.data for entry in ours}
    return _systems([entry for entry in shown if entry.data in names]) + _leads(leads(ours, beside), aim=0.0)


def _spread(entry: Entry, name: str, digits: int) -> str:
    """Mean and standard deviation over the seeds."""
    values = entry.values(name)
    if not values:
        return "-"
    return f"{mean(values):.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"
