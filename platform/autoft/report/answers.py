"""The answers to the test rows: what is right, what is wrong, and the worst of it."""

from __future__ import annotations

from collections.abc import Sequence

from autoft.report import charts
from autoft.report.data import Confusion, Marked, Mistake, ReportData, Tally
from autoft.report.markup import Markup, join, section, tag

TABLE_CLASSES = 12
"""Classes up to which the confusion matrix is a table with numbers."""
LONGEST = 600
"""Characters of an input that are shown."""


def confusion_section(confusion: Confusion | None) -> Markup | None:
    """A table where the classes are few, a map otherwise; None without classes."""
    if confusion is None or not confusion.labels:
        return None
    few = len(confusion.labels) <= TABLE_CLASSES
    picture = charts.confusion_table(confusion) if few else charts.confusion_map(confusion)
    total, right = sum(map(sum, confusion.matrix)), sum(row[i] for i, row in enumerate(confusion.matrix))
    lead = f"Test rows by what they are and what the model answered: {right} of {total} are right. Green is right, red is wrong."
    return section("Right and wrong, class by class", lead, picture, _confused(confusion), _classes(confusion))


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


def tallies_section(data: ReportData) -> Markup | None:
    """Each label or kind of entity; None without any."""
    if not data.tallies:
        return None
    one, many = ("kind", "kinds") if data.kind == "entities" else ("label", "labels")
    title = "Right and wrong, kind by kind" if data.kind == "entities" else "Right and wrong, label by label"
    return section(title, "", _tally_table(data.tallies, one, many))


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


def points_section(points: Sequence[tuple[float, float]], metric: str) -> Markup | None:
    """`points` are (truth, answer) pairs; None without any."""
    if not points:
        return None
    lead = f"Each point is a test row, {len(points)} in all; on the line the answer is right. The model is judged by {metric}."
    return section("Truth and answer", lead, charts.scatter(points, "in the file", "answered"))


_MISTAKES = {
    "labels": ("The most confident mistakes", "Test rows with a label that the model was wrong about while it was surest."),
    "score": ("The largest errors", "Test rows whose answer is farthest from the file. Some of them may be labelled wrongly in the file."),
    "text": ("The poorest answers", "Test rows whose answer is least like the text in the file, by the metric that decides."),
}
_SUREST = (
    "The most confident mistakes",
    "Test rows that the model got wrong while it was surest. Some of them may be labelled wrongly in the file.",
)


def mistakes_section(data: ReportData) -> Markup | None:
    """None without a mistake."""
    if not data.mistakes:
        return None
    title, lead = _MISTAKES.get(data.kind or "", _SUREST)
    show = _texts if data.kind == "text" else _mistake
    return section(title, lead, tag("div", *map(show, data.mistakes), cls="mistakes"))


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


def marked_section(rows: tuple[Marked, ...]) -> Markup | None:
    """Rows with their entities marked; None without any."""
    if not rows:
        return None
    lead = "Test rows with the most wrong entities: right ones, those the model missed, and those it invented."
    return section(
        "What was missed and invented", lead, tag("div", *[tag("div", charts.marked(row), cls="mistake") for row in rows], cls="mistakes")
    )
