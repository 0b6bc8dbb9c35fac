"""The trials: the leaderboard, how each learned, when each ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from autoft.interfaces.events import TrialFinished
from autoft.progress import duration, of_rows, short
from autoft.report import charts
from autoft.report.data import Curve, ReportData
from autoft.report.markup import Markup, join, section, tag
from autoft.report.result import dig, is_number

SHOWN_TRIALS = 25
"""Rows of the leaderboard before the rest is folded away."""
DRAWN_TRIALS = 40
"""Curves and bars drawn, the best first: more cannot be told apart."""


def leaderboard_section(result: Mapping[str, Any], rows: list[TrialFinished], curves: Sequence[Curve]) -> Markup | None:
    """`rows` best first; None without any. `curves` tell how much of the machine each trial used."""
    if not rows:
        return None
    values = [row.value for row in rows if row.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low -= 0.25 * (high - low)
    winner = dig(result, "best", "trial")
    metric = str(result.get("metric", "score"))
    used = {curve.trial: tag("td", f"{curve.utilisation:.0%}", cls="num time") for curve in curves if curve.utilisation is not None}
    unused = tag("td", cls="num time") if used else None
    names = [tag("th", name) for name in ("#", "candidate and settings", "status", metric)]
    names += [tag("th", "of peak", cls="time")] if used else []
    head = tag("thead", tag("tr", *names, tag("th", "time", cls="time")))
    shown = [
        _row(rank, row, low, high, used.get(row.trial, unused), best=row.trial == winner or (winner is None and rank == 1))
        for rank, row in enumerate(rows, start=1)
    ]
    tables = [tag("div", tag("table", head, tag("tbody", *shown[:SHOWN_TRIALS]), cls="board"), cls="scroll")]
    if len(shown) > SHOWN_TRIALS:
        rest = tag("div", tag("table", tag("tbody", *shown[SHOWN_TRIALS:]), cls="board"), cls="scroll")
        tables.append(tag("details", tag("summary", f"{len(shown) - SHOWN_TRIALS} more trials"), rest))
    lead = f"Every trial, best first, by {metric} on the validation rows. Complete trials come before stopped ones."
    if any(row.rows is not None for row in rows):
        lead += " Those that learned from a part of the rows, which the status names, stand behind those that had all."
    if used:
        lead += " Of peak: how much of what its share of the machine can do at best in matrix products a trial did while it learned."
    return section("Leaderboard", lead, *tables)


def _row(rank: int, row: TrialFinished, low: float, high: float, share: Markup | None, *, best: bool) -> Markup:
    status = {"done": "soft", "stopped": "warn", "failed": "bad"}.get(row.status, "soft")
    progress = (f" {row.progress}%" if row.status == "stopped" else "") + of_rows(row.rows)
    usual = "status usual" if row.status == "done" and not row.reason else "status"
    name = join(row.candidate, tag("span", " ", tag("span", "winner", cls="badge good")) if best else None)
    return tag(
        "tr",
        tag("td", rank, cls="rank num"),
        tag("td", name, tag("small", f"trial {row.trial}: {short(row.hyperparameters) or 'no settings'}"), cls="candidate"),
        tag("td", tag("span", row.status + progress, cls=status), tag("small", row.reason) if row.reason else None, cls=usual),
        tag("td", charts.score_bar(row.value, low, high), cls="score"),
        share,
        tag("td", duration(row.seconds), cls="num time"),
        cls="best" if best else None,
    )


def _colours(rows: list[TrialFinished]) -> dict[str, int]:
    """A number for each candidate in the order of `rows`; those beyond the last colour share it."""
    places = count()
    found: dict[str, int] = {}
    for row in rows:
        if row.candidate not in found:
            found[row.candidate] = min(next(places), charts.COLOURS - 1)
    return found


def curves_section(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData) -> Markup | None:
    """None where no trial was evaluated more than once."""
    colours = _colours(rows)
    by_trial = {curve.trial: curve for curve in data.curves or ()}
    drawn = [row for row in rows if row.trial in by_trial][:DRAWN_TRIALS]
    winner = dig(result, "best", "trial") or (drawn[0].trial if drawn else None)
    metric = str(result.get("metric", "score"))
    panels, used = [], {}
    for field, title in (("value", f"{metric} on the validation rows"), ("loss", "loss on the training rows (lower is better)")):
        lines = []
        for row in drawn:
            points = tuple((p.progress, v) for p in by_trial[row.trial].points if is_number(v := getattr(p, field)))
            if points and (len(points) > 1 or field == "value"):
                label = f"trial {row.trial}, {row.candidate}: {short(row.hyperparameters)}"
                lines.append(charts.Line(label, colours[row.candidate], points, strong=row.trial == winner))
                used[row.candidate] = colours[row.candidate]
        if lines and any(len(line.points) > 1 for line in lines):
            panels.append(charts.line_chart(lines, title, metric if field == "value" else "loss"))
    if not panels:
        return None
    lead = "How each trial learned, evaluation by evaluation; the winner is drawn thick."
    if len(by_trial) > len(drawn):
        lead += f" The best {len(drawn)} of {len(by_trial)} are drawn."
    return section("Learning curves", lead, charts.legend(used), tag("div", *panels, cls="panels"))


def timeline_section(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData) -> Markup | None:
    """Stages and trials over the time of the run; None without either."""
    winner = dig(result, "best", "trial")
    spans = [(s.start, s.name, s.start, s.seconds, "stage", f"{s.name}: {duration(s.seconds)}") for s in data.stages or ()]
    for row in rows[:DRAWN_TRIALS]:
        cls = "best" if row.trial == winner else row.status
        hover = f"trial {row.trial}, {row.candidate}, {row.status}: {duration(row.seconds)}"
        spans.append((row.time - row.seconds, f"{row.trial} {row.candidate}", row.time - row.seconds, row.seconds, cls, hover))
    if not spans:
        return None
    spans.sort(key=lambda span: (span[0], span[4] != "stage"))
    lead = "When each stage (dark) and each trial ran. Green: the winner; blue: done; yellow: stopped early; pink: failed."
    return section("Where the time went", lead, charts.timeline([span[1:] for span in spans]))
