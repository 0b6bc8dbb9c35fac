"""report.html: one file that opens anywhere, offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from autoft.interfaces.events import TrialFinished
from autoft.progress import duration, example_inputs, figure, short
from autoft.report import charts
from autoft.report.data import Confusion, Marked, Mistake, ProofTable, ReportData, Tally, completed
from autoft.report.markup import Markup, join, tag
from autoft.report.outlook import outlook
from autoft.report.ranking import ranking_section

SHOWN_TRIALS = 25
"""Rows of the leaderboard before the rest is folded away."""
DRAWN_TRIALS = 40
"""Curves and bars drawn, the best first: more cannot be told apart."""
TABLE_CLASSES = 12
"""Classes up to which the confusion matrix is a table with numbers."""
LONGEST = 600
"""Characters of an input that are shown."""


def write_report(folder: Path, result: Mapping[str, Any], rows: Iterable[TrialFinished], data: ReportData | None = None) -> Path:
    """Write report.html into the run's folder. `rows` are the leaderboard, best first; what `data` leaves open is read from the folder."""
    known = completed(data or ReportData(), folder, str(result.get("metric", "")))
    path = folder / "report.html"
    aside = path.with_name(path.name + ".new")
    aside.write_text(report_html(result, list(rows), known), encoding="utf-8")
    return aside.replace(path)


def report_html(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData) -> str:
    """The page. Every text in it is escaped."""
    title = data.title or f"{_dig(result, 'best', 'candidate') or 'no model'} on {Path(data.data).name or 'your data'}"
    colours = _colours(rows)
    parts = [
        _header(result, title),
        _verdict(result, rows),
        _board(result, rows),
        ranking_section(result.get("ranking"), str(result.get("metric", "")), greater_is_better=data.greater_is_better),
        _curves(result, rows, data, colours),
        outlook(result),
        _confusion(data.confusion),
        _tallies(data),
        _points(data.points, str(result.get("metric", ""))),
        _mistakes(data),
        _marked(data.marked),
        _proof(data.proof),
        _timeline(result, rows, data),
        _facts(result, data),
        _notes(data.notes or ()),
        _next(result),
        tag("footer", f"Written by autoft. Run {result.get('run_id', '')}. This page needs no network."),
    ]
    head = join(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Markup("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"),
        tag("title", f"autoft: {title}"),
        Markup(f"<style>{_style()}</style>"),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{tag("main", *parts)}</body></html>\n'


def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def _section(title: str, lead: str, *children: Any) -> Markup:
    return tag("section", tag("h2", title), tag("p", lead, cls="lead") if lead else None, *children)


def _header(result: Mapping[str, Any], title: str) -> Markup:
    status = str(result.get("status", ""))
    kicker = " · ".join(str(part) for part in (result.get("task"), result.get("run_id"), "" if status == "done" else status) if part)
    return tag("header", tag("p", kicker, cls="kicker"), tag("h1", title))


def _verdict(result: Mapping[str, Any], rows: list[TrialFinished]) -> Markup:
    metric = str(result.get("metric", ""))
    interval = result.get("interval") if isinstance(result.get("interval"), Mapping) else {}
    tiles = []
    test, base = _dig(result, "best", "test", metric), _dig(result, "baseline", "test", metric)
    if _number(test):
        tiles.append(_tile(figure(test), f"{metric} on the test rows"))
    if _number(base):
        tiles.append(_tile(figure(base), f"the baseline, {_dig(result, 'baseline', 'candidate') or ''}"))
    lead = _interval(_dig(interval, "lead"))
    if lead:
        tiles.append(_tile(f"{lead[0]:+.3f}", f"ahead of the baseline ({lead[1]:+.3f} to {lead[2]:+.3f})"))
    verified = result.get("verified")
    if isinstance(verified, Mapping) and "passed" in verified:
        words, cls = ("proved", "good") if verified["passed"] else ("refused", "bad")
        tiles.append(_tile(tag("em", words, cls=cls), "the exported model, held against the trained one"))
    tiles.append(_tile(str(result.get("trials", len(rows))), "trials"))
    if _number(result.get("seconds")):
        tiles.append(_tile(duration(float(result["seconds"])), "from the command to the result"))
    bars = []
    winner, baseline = _interval(_dig(interval, "winner")), _interval(_dig(interval, "baseline"))
    if winner:
        bars.append((str(_dig(result, "best", "candidate") or "winner"), *winner, "winner"))
    if baseline:
        bars.append((f"{_dig(result, 'baseline', 'candidate') or 'baseline'} (baseline)", *baseline, "base"))
    second = _interval(_dig(result, "runner_up", "interval", "runner_up"))
    if second and _dig(result, "runner_up", "rows") == "test":
        bars.append((f"{_dig(result, 'runner_up', 'candidate')} (runner-up, as the search left it)", *second, "base"))
    picture = None
    if bars:
        lead_text = f"{metric} on the test rows, with the range in which it lies with 95 % confidence"
        picture = join(
            tag("h3", "Against the baseline" + (" and the runner-up" if len(bars) > 2 else "")),
            tag("p", lead_text, cls="lead"),
            charts.intervals(bars),
        )
    said = tag("p", result.get("verdict") or "There is no verdict: the run left no model.", cls="verdict")
    return tag("section", tag("h2", "Verdict"), said, tag("div", *tiles, cls="tiles"), picture)


def _tile(value: Any, words: str) -> Markup:
    return tag("div", tag("b", value), tag("span", words), cls="tile")


def _board(result: Mapping[str, Any], rows: list[TrialFinished]) -> Markup | None:
    if not rows:
        return None
    values = [row.value for row in rows if row.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low -= 0.25 * (high - low)
    winner = _dig(result, "best", "trial")
    metric = str(result.get("metric", "score"))
    head = tag(
        "thead",
        tag(
            "tr", tag("th", "#"), tag("th", "candidate and settings"), tag("th", "status"), tag("th", metric), tag("th", "time", cls="time")
        ),
    )
    shown = [
        _row(rank, row, low, high, best=row.trial == winner or (winner is None and rank == 1)) for rank, row in enumerate(rows, start=1)
    ]
    tables = [tag("div", tag("table", head, tag("tbody", *shown[:SHOWN_TRIALS]), cls="board"), cls="scroll")]
    if len(shown) > SHOWN_TRIALS:
        rest = tag("div", tag("table", tag("tbody", *shown[SHOWN_TRIALS:]), cls="board"), cls="scroll")
        tables.append(tag("details", tag("summary", f"{len(shown) - SHOWN_TRIALS} more trials"), rest))
    lead = f"Every trial, best first, by {metric} on the validation rows. Complete trials come before stopped ones."
    return _section("Leaderboard", lead, *tables)


def _row(rank: int, row: TrialFinished, low: float, high: float, *, best: bool) -> Markup:
    status = {"done": "soft", "stopped": "warn", "failed": "bad"}.get(row.status, "soft")
    progress = f" {row.progress}%" if row.status == "stopped" else ""
    usual = "status usual" if row.status == "done" and not row.reason else "status"
    name = join(row.candidate, tag("span", " ", tag("span", "winner", cls="badge good")) if best else None)
    return tag(
        "tr",
        tag("td", rank, cls="rank num"),
        tag("td", name, tag("small", f"trial {row.trial}: {short(row.hyperparameters) or 'no settings'}"), cls="candidate"),
        tag("td", tag("span", row.status + progress, cls=status), tag("small", row.reason) if row.reason else None, cls=usual),
        tag("td", charts.score_bar(row.value, low, high), cls="score"),
        tag("td", duration(row.seconds), cls="num time"),
        cls="best" if best else None,
    )


def _colours(rows: list[TrialFinished]) -> dict[str, int]:
    places = count()
    found: dict[str, int] = {}
    for row in rows:
        if row.candidate not in found:
            found[row.candidate] = min(next(places), charts.COLOURS - 1)
    return found


def _curves(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData, colours: Mapping[str, int]) -> Markup | None:
    by_trial = {curve.trial: curve for curve in data.curves or ()}
    drawn = [row for row in rows if row.trial in by_trial][:DRAWN_TRIALS]
    winner = _dig(result, "best", "trial") or (drawn[0].trial if drawn else None)
    metric = str(result.get("metric", "score"))
    panels, used = [], {}
    for field, title in (("value", f"{metric} on the validation rows"), ("loss", "loss on the training rows (lower is better)")):
        lines = []
        for row in drawn:
            points = tuple((p.progress, v) for p in by_trial[row.trial].points if _number(v := getattr(p, field)))
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
    return _section("Learning curves", lead, charts.legend(used), tag("div", *panels, cls="panels"))


def _confusion(confusion: Confusion | None) -> Markup | None:
    if confusion is None or not confusion.labels:
        return None
    few = len(confusion.labels) <= TABLE_CLASSES
    picture = charts.confusion_table(confusion) if few else charts.confusion_map(confusion)
    total, right = sum(map(sum, confusion.matrix)), sum(row[i] for i, row in enumerate(confusion.matrix))
    lead = f"Test rows by what they are and what the model answered: {right} of {total} are right. Green is right, red is wrong."
    return _section("Right and wrong, class by class", lead, picture, _confused(confusion), _classes(confusion))


def _confused(confusion: Confusion) -> Markup | None:
    if len(confusion.labels) < 3:
        return None
    pairs = [
        (number, truth, answer)
        for i, truth in enumerate(confusion.labels)
        for j, answer in enumerate(confusion.labels)
        if i != j and (number := confusion.matrix[i][j])
    ]
    pairs.sort(key=lambda pair: -pair[0])
    if not pairs:
        return None
    items = [tag("li", tag("b", truth), " taken for ", tag("b", answer), f": {number}") for number, truth, answer in pairs[:6]]
    return join(tag("h3", "Most often confused"), tag("ul", *items))


def _classes(confusion: Confusion) -> Markup:
    tallies = [
        Tally(name=label, rows=sum(confusion.matrix[i]), answered=sum(row[i] for row in confusion.matrix), right=confusion.matrix[i][i])
        for i, label in enumerate(confusion.labels)
    ]
    return join(tag("h3", "Each class"), _tally_table(tallies, "class", "classes"))


def _tallies(data: ReportData) -> Markup | None:
    if not data.tallies:
        return None
    one, many = ("kind", "kinds") if data.kind == "entities" else ("label", "labels")
    title = "Right and wrong, kind by kind" if data.kind == "entities" else "Right and wrong, label by label"
    return _section(title, "", _tally_table(data.tallies, one, many))


def _tally_table(tallies: Sequence[Tally], one: str, many: str) -> Markup:
    """Recall, precision and F1 of each; over a dozen are folded away, the weakest first."""
    folded = len(tallies) > TABLE_CLASSES
    thresholds = any(tally.threshold is not None for tally in tallies)
    names = ("rows", "recall", "precision", "F1", *(["threshold"] if thresholds else []))
    if one == "kind":
        names = ("in the file", *names[1:])
    head = tag("tr", tag("th", one), *[tag("th", name, cls="right-align") for name in names])
    body = []
    for tally in sorted(tallies, key=lambda tally: tally.f1) if folded else tallies:
        cells = [tally.rows, _share(tally.recall), _share(tally.precision), _share(tally.f1)]
        cells += [_share(tally.threshold)] if thresholds else []
        body.append(tag("tr", tag("td", tally.name), *[tag("td", cell, cls="num right-align") for cell in cells]))
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
    lead = f"Recall: the share of the {one} that was found. Precision: how often the answer was right when the model gave it."
    lead += " Threshold: the probability from which the model gives the label." if thresholds else ""
    shown = tag("details", tag("summary", f"{len(body)} {many}, the weakest first"), table) if folded else table
    return join(tag("p", lead, cls="lead"), shown)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _points(points: Sequence[tuple[float, float]], metric: str) -> Markup | None:
    if not points:
        return None
    lead = f"Each point is a test row, {len(points)} in all; on the line the answer is right. The model is judged by {metric}."
    return _section("Truth and answer", lead, charts.scatter(points, "in the file", "answered"))


_MISTAKES = {
    "labels": ("The most confident mistakes", "Test rows with a label that the model was wrong about while it was surest."),
    "score": ("The largest errors", "Test rows whose answer is farthest from the file. Some of them may be labelled wrongly in the file."),
    "text": ("The poorest answers", "Test rows whose answer is least like the text in the file, by the metric that decides."),
}
_SUREST = (
    "The most confident mistakes",
    "Test rows that the model got wrong while it was surest. Some of them may be labelled wrongly in the file.",
)


def _mistakes(data: ReportData) -> Markup | None:
    if not data.mistakes:
        return None
    title, lead = _MISTAKES.get(data.kind or "", _SUREST)
    show = _texts if data.kind == "text" else _mistake
    return _section(title, lead, tag("div", *map(show, data.mistakes), cls="mistakes"))


def _mistake(mistake: Mistake) -> Markup:
    sure = "" if mistake.score is None else f", {100 * mistake.score:.0f} % sure"
    said = tag("p", "answered ", tag("b", mistake.answer), f"{sure}; the file says ", tag("b", mistake.truth))
    return tag("div", *_quoted(mistake.input), said, cls="mistake")


def _texts(mistake: Mistake) -> Markup:
    """Input, answer and target one below the other."""
    parts = [*_quoted(mistake.input), tag("p", "answered"), *_quoted(mistake.answer), tag("p", "the file says"), *_quoted(mistake.truth)]
    return tag("div", *parts, cls="mistake")


def _quoted(texts: str | tuple[str, ...]) -> list[Markup]:
    """A block for each text, cut where it is long."""
    shown = [one if len(one) <= LONGEST else one[:LONGEST].rstrip() + " …" for one in ((texts,) if isinstance(texts, str) else texts)]
    return [tag("blockquote", one, dir="auto") for one in shown]


def _marked(rows: tuple[Marked, ...]) -> Markup | None:
    if not rows:
        return None
    lead = "Test rows with the most wrong entities: right ones, those the model missed, and those it invented."
    return _section(
        "What was missed and invented", lead, tag("div", *[tag("div", charts.marked(row), cls="mistake") for row in rows], cls="mistakes")
    )


def _proof(proof: ProofTable | None) -> Markup | None:
    if proof is None:
        return None
    badge = tag("span", "proved" if proof.passed else "refused", cls="badge " + ("good" if proof.passed else "bad"))
    words = f"largest difference {proof.max_difference:.1e}"
    words += f", {proof.tolerance:g} allowed" if proof.tolerance is not None else ""
    said = f"{proof.changed_labels} changed answers on {proof.rows} rows; {words}."
    reasons = tag("ul", *[tag("li", reason) for reason in proof.reasons]) if proof.reasons else None
    table = None
    if proof.combinations:
        head = tag("tr", *[tag("th", name, cls="right-align") for name in ("rows at once", "length", "padding", "largest difference")])
        body = [
            tag("tr", *[tag("td", _cell(cell), cls="num right-align") for cell in (c.batch, c.length, c.padding, f"{c.difference:.1e}")])
            for c in proof.combinations
        ]
        inside = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
        table = tag("details", tag("summary", f"{len(body)} combinations of batch, length and padding"), inside)
    lead = "The exported model was fed the same inputs as the trained one, and had to give the same answers."
    return tag("section", tag("h2", "Proof of the export ", badge), tag("p", lead, cls="lead"), tag("p", said), reasons, table)


def _cell(value: object) -> str:
    return "-" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _timeline(result: Mapping[str, Any], rows: list[TrialFinished], data: ReportData) -> Markup | None:
    winner = _dig(result, "best", "trial")
    spans = [(s.start, s.name, s.start, s.seconds, "stage", f"{s.name}: {duration(s.seconds)}") for s in data.stages or ()]
    for row in rows[:DRAWN_TRIALS]:
        cls = "best" if row.trial == winner else row.status
        hover = f"trial {row.trial}, {row.candidate}, {row.status}: {duration(row.seconds)}"
        spans.append((row.time - row.seconds, f"{row.trial} {row.candidate}", row.time - row.seconds, row.seconds, cls, hover))
    if not spans:
        return None
    spans.sort(key=lambda span: (span[0], span[4] != "stage"))
    lead = "When each stage (dark) and each trial ran. Green: the winner; blue: done; yellow: stopped early; pink: failed."
    return _section("Where the time went", lead, charts.timeline([span[1:] for span in spans]))


def _facts(result: Mapping[str, Any], data: ReportData) -> Markup:
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
        figures = _dig(result, "best", part)
        if isinstance(figures, Mapping) and figures:
            facts.append((f"winner, {part}", ", ".join(f"{name} {figure(v)}" for name, v in figures.items() if _number(v))))
    confirmed = result.get("confirmed")
    if isinstance(confirmed, Mapping):
        facts.append(
            ("confirmed by", ", ".join(f"{number} {kind}" for kind, number in confirmed.items() if number) or "nothing: there was no time")
        )
    budget, averaged = result.get("budget"), _dig(result, "best", "averaged")
    facts += [
        ("refit", {True: "yes, on all rows that are not test", False: "no"}.get(result.get("refit"))),  # type: ignore[arg-type]
        ("weights", f"the mean of those of trials {', '.join(map(str, averaged))}" if averaged else None),
        ("budget", duration(budget) if isinstance(budget, int | float) else None),
        ("seed", result.get("seed")),
    ]
    shown_facts = [join(tag("dt", name), tag("dd", value)) for name, value in facts if value not in (None, "")]
    return _section("The task and the data", "", tag("dl", *shown_facts, cls="facts"))


def _listed(names: object) -> str:
    return " + ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)


def _notes(notes: tuple[str, ...]) -> Markup | None:
    if not notes:
        return None
    return _section("What was decided, and why", "", tag("ul", *[tag("li", note) for note in notes]))


def _next(result: Mapping[str, Any]) -> Markup:
    bundle = str(result.get("bundle") or "bundle")
    commands = f"autoft predict {bundle} {example_inputs(result.get('columns'))}\nautoft serve {bundle}"
    return _section("What to do next", "In the folder of this report:", tag("pre", tag("code", commands)))


def _interval(value: object) -> tuple[float, float, float] | None:
    if not isinstance(value, Mapping):
        return None
    found = [value.get(name) for name in ("value", "low", "high")]
    return (float(found[0]), float(found[1]), float(found[2])) if all(_number(v) for v in found) else None  # type: ignore[arg-type]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
