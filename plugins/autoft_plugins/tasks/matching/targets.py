"""Which columns may hold what is to be learned, in which form, and how plainly their names say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from autoft.data.columns import Column, as_list
from autoft_plugins.tasks.label_lists import separator_of
from autoft_plugins.tasks.matching import words
from autoft_plugins.tasks.matching.tags import tagged
from autoft_plugins.tasks.matching.view import View
from autoft_plugins.tasks.matching.words import exact, within

Form: TypeAlias = Literal["class", "number", "labels", "flags", "spans"]

IT_IS, IT_MAY_BE, AT_A_PINCH, IN_NAME_ONLY = 1.0, 0.6, 0.4, 0.1
"""What a column is, what it may be taken for as well, what it could be if the user says so, and what it is not, though the user named it:
then the task says which cell is wrong."""
FEW = 7
"""So many different whole numbers of a rating are classes; more are numbers."""
GROUP = 3
"""So many columns of 0 and 1 are the labels of a multi-label task."""
LONG_NAME = 5.0
"""A label has at most so many words on average."""
_STARTS = frozenset(("start", "start_offset", "begin"))
AS_GIVEN, BY_NAME = "as given", "by its name"


@dataclass(frozen=True)
class Target:
    """`tier` is 1 for a name like label, less for names that say less, and 0 or below where the content alone speaks."""

    columns: tuple[str, ...]
    forms: Mapping[Form, float]
    tier: float
    why: str
    distinct: int


def find_targets(view: View, texts: Collection[str] = (), *, pair: bool = False) -> list[Target]:
    """All that could be learned beside the columns `texts`; `pair` reads a rating of few steps as a number, as between two texts."""
    rest = [column for column in view.columns.values() if column.name not in texts and _allowed(column)]
    group = [column for column in rest if column.flags and not exact(column.name, words.LABEL)]
    found = []
    sure = False
    if len(group) >= 2:
        sure = len(group) >= GROUP and not _described(rest, group)
        why = f"{len(group)} columns of 0 and 1"
        forms: Mapping[Form, float] = {"flags": IT_IS if sure else AT_A_PINCH}
        found.append(Target(tuple(column.name for column in group), forms, 0.85 if sure else 0.0, why, len(group)))
    grouped = {column.name for column in group} if sure else set()
    for column in rest:
        tier, named = _tier(column)
        forms = {"class": AT_A_PINCH} if column.name in grouped else _forms(view, column, tier if named else 0.0, pair)
        if forms and (named or column.distinct >= 2 or "spans" in forms):
            found.append(Target((column.name,), forms, tier, BY_NAME if named else _by_content(forms), column.distinct))
    return [_unless_alone(target, found) for target in found]


def _unless_alone(target: Target, found: Collection[Target]) -> Target:
    """Whether others are of the same form is part of why it is this one."""
    alike = sum(_by_content(other.forms) == target.why for other in found)
    return replace(target, why=target.why.replace("the only column", "the likeliest of the columns")) if alike > 1 else target


def _described(rest: Collection[Column], group: Collection[Column]) -> bool:
    """Whether rows have further properties, as those of things for sale have: then 0 and 1 may be properties, too."""
    others = [column for column in rest if column not in group and column.kind in ("class", "number", "text")]
    return sum(column.kind != "text" or not within(column.name, words.TEXT | words.ALSO_TEXT) for column in others) >= 2


def given_target(view: View, names: tuple[str, ...], *, pair: bool = False) -> Target:
    """What the user named as the label, in whatever form it can be learned."""
    if len(names) > 1:
        flags = all(view.columns[name].flags for name in names)
        return Target(names, {"flags": IT_IS if flags else IN_NAME_ONLY}, 1.0, AS_GIVEN, len(names))
    column = view.columns[names[0]]
    forms = dict(_forms(view, column, 1.0, pair))
    if column.numbers:
        forms.setdefault("number", IT_MAY_BE)
    forms.setdefault("class", AT_A_PINCH)
    forms = {"number": IN_NAME_ONLY, "labels": IN_NAME_ONLY, **forms}
    return Target(names, forms, 1.0, AS_GIVEN, column.distinct)


def _allowed(column: Column) -> bool:
    if exact(column.name, words.LABEL) or column.kind == "list":
        return True
    # A class may be called by its number (class_index), a row by nothing else (user_id).
    numbered = column.kind == "class" and within(column.name, words.LABEL)
    return column.kind not in ("empty", "date", "other") and (numbered or not within(column.name, words.NEVER))


def _tier(column: Column) -> tuple[float, bool]:
    """How plainly the name says that this is learned, and whether it says so at all."""
    name = column.name
    if exact(name, words.LABEL):
        return 1.0, True
    if column.distinct < 2:
        return -0.5, False
    known = words.ALSO_LABEL | words.SCORE | (words.LISTS if column.kind in ("list", "text", "class") else frozenset())
    if exact(name, known | (words.SPANS if column.items == "objects" else frozenset()) | words.PAIR_TARGETS):
        return 0.8, True
    if within(name, words.LABEL):
        return 0.7, True
    if within(name, known):
        return 0.6, True
    if column.kind == "list":
        return (0.2 if column.items == "numbers" else 0.5), False
    if exact(name, words.ASIDE):
        return -0.4, False
    return (-0.2, False) if column.kind == "number" else (0.0, False)


def _forms(view: View, column: Column, tier: float, pair: bool) -> Mapping[Form, float]:
    if column.kind == "list":
        return _forms_of_lists(view, column)
    if column.numbers:
        return _forms_of_numbers(column, tier, pair)
    if not column.strings:
        return {"class": IT_IS} if column.kind == "class" else {}
    if tagged(view, column):
        return {}
    if column.kind == "identifier":
        return {"class": IT_IS} if tier >= 1 else {}
    short = column.mean_words <= LONG_NAME or column.kind == "class"
    if (short or exact(column.name, words.LISTS)) and _parted(view, column, tier):
        return {"labels": IT_IS, "class": AT_A_PINCH}
    if column.kind == "class":
        plain_text = tier <= 0 and exact(column.name, words.TEXT | words.ALSO_TEXT)
        return {"class": AT_A_PINCH} if plain_text else {"class": IT_IS}
    return {"class": IT_IS if column.distinct <= 0.9 * column.present else IT_MAY_BE} if tier >= 0.8 and short else {}


def _parted(view: View, column: Column, tier: float) -> bool:
    """Whether cells hold several labels: a bar says so by itself, a comma or semicolon beside a name that does."""
    mark = separator_of(view.present(column.name))
    return mark is not None and (mark == "|" or tier > 0)


def _forms_of_lists(view: View, column: Column) -> Mapping[Form, float]:
    if column.items in ("strings", "numbers"):
        return {"labels": IT_IS}
    return {"spans": IT_IS} if column.items == "objects" and _spans(view.present(column.name)) else {}


def _spans(cells: list[object]) -> bool:
    """Whether the items say where they start and end."""
    items = [item for cell in cells for item in as_list(cell) or ()]
    return bool(items) and all(_is_span(item) for item in items)


def _is_span(item: object) -> bool:
    if isinstance(item, Mapping):
        return bool(item.keys() & _STARTS)
    return isinstance(item, list | tuple) and len(item) == 3 and isinstance(item[0], int) and isinstance(item[2], str)


def _forms_of_numbers(column: Column, tier: float, pair: bool) -> Mapping[Form, float]:
    if column.strays and column.kind == "class":
        return {"class": IT_IS}
    rated = within(column.name, words.SCORE) or (pair and exact(column.name, words.PAIR_TARGETS))
    if column.kind == "identifier":
        if rated:
            return {"number": IT_IS}
        return {"class": IT_IS, "number": AT_A_PINCH} if tier >= 1 else {}
    if column.kind == "class":
        if rated and column.distinct > (3 if pair else FEW):
            return {"number": IT_IS, "class": IT_MAY_BE}
        return {"class": IT_IS} if column.distinct < 3 else {"class": IT_IS, "number": IT_MAY_BE if rated else AT_A_PINCH}
    few = column.distinct <= max(2, column.present / 2) and column.distinct <= 100
    return {"number": IT_IS, "class": AT_A_PINCH} if few else {"number": IT_IS}


def _by_content(forms: Mapping[Form, float]) -> str:
    best = max(forms, key=lambda form: forms[form])
    return {
        "class": "the only column with few different values",
        "number": "the only column with many different numbers",
        "labels": "the only column with several labels a row",
        "spans": "the only column with spans",
        "flags": "0 and 1",
    }[best]
