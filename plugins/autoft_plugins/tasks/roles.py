"""Which column is the text and which the label: by the user's word, by name, by content, and never by a coin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoft.data.columns import Column, profile
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.task import Match


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_TEXT = _set(
    "text texts sentence review comment content body message question utterance query tweet post sms email document doc abstract",
    "article snippet input prompt statement phrase passage utt 文本 内容 评论 句子 问题 正文",
)
_ALSO_TEXT = _set("title headline subject summary description caption name 标题 描述")
_LABEL = _set("label labels class target y 标签 类别")
_ALSO_LABEL = _set(
    "sentiment category categories kind type intent topic rating ratings stars star score emotion polarity spam tag genre stance gold",
    "answer toxicity toxic priority department 情感 分类 评分 意图",
)
_NEVER_LABEL = _set(
    "id ids idx index uuid guid key date time timestamp datetime created updated year month day url uri link user author username",
    "split fold lang language locale source length version 日期 时间 编号",
)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")

LONGER = 3.0
"""So many times longer than any other column is a column that is plainly the text."""


@dataclass(frozen=True)
class _Choice:
    column: Column
    why: str
    sure: bool


def find_roles(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """The columns of `text` and `label`; None when the table has no texts, or names roles of another task.

    Raises DataError when a given column is absent, two columns fit equally, or none does.
    """
    if set(given) - {"text", "label"}:
        return None
    columns = {column.name: column for column in profile(table)}
    chosen = {role: _given(table, role, names) for role, names in given.items()}
    if chosen.get("text") is not None and chosen.get("text") == chosen.get("label"):
        raise DataError(f"{table.origin}: the column {chosen['text']!r} cannot be both text and label", hint="name two columns")
    if "label" in chosen:
        label: _Choice | None = _Choice(columns[chosen["label"]], "as given", True)
    else:
        label = _find_label(table, [column for column in columns.values() if column.name != chosen.get("text")], "text" in chosen)
    if "text" in chosen:
        text: _Choice | None = _Choice(columns[chosen["text"]], "as given", True)
    else:
        text = _find_text(table, [column for column in columns.values() if label is None or column.name != label.column.name])
    if text is None:
        return None
    if text.column.kind == "empty":
        what = f"the text column {text.column.name!r} is empty in all {len(table)} rows"
        raise DataError(f"{table.origin}: {what}", hint=f"name another: {_flag(table, 'text')}")
    if label is None:
        return _no_label(table, list(columns.values()), text.column)
    return _match(text, label, list(columns.values()))


def _match(text: _Choice, label: _Choice, columns: Sequence[Column]) -> Match:
    length = f"{text.column.mean_words:.0f} words" if text.column.mean_words >= 3 else f"{text.column.mean_length:.0f} characters"
    reason = (
        f"text is the column {text.column.name!r} ({text.why}; {length} on average), "
        f"label is {label.column.name!r} ({label.why}; {label.column.distinct} different values)"
    )
    unused = [column.name for column in columns if column.name not in (text.column.name, label.column.name)]
    if unused:
        reason += f"; not used: {listed(unused, 6)}"
    score = (5 + 2 * text.sure + 2 * label.sure) / 10
    return Match(score, {"text": (text.column.name,), "label": (label.column.name,)}, reason)


def _given(table: Table, role: str, names: tuple[str, ...]) -> str:
    if len(names) != 1:
        raise DataError(f"{role} takes one column, not {len(names)}: {listed(names)}", hint=f"give --{role} NAME once")
    if names[0] in table:
        return names[0]
    close = nearest(names[0], table.names)
    hint = f"did you mean --{role} {_quoted(close)}?" if close else f"--{role} takes one of them"
    raise DataError(f"{table.origin}: there is no column {names[0]!r}; the columns are {listed(table.names)}", hint=hint)


def _find_label(table: Table, columns: Sequence[Column], text_given: bool) -> _Choice | None:
    """Of the columns that hold few different values, the one whose name says so, or the only one."""
    classes = [column for column in columns if column.kind == "class" and not _words(column.name) & _NEVER_LABEL]
    varied = [column for column in classes if column.distinct > 1]
    for names in (_LABEL, _ALSO_LABEL):
        named = [column for column in varied if _is(column.name, names)]
        if named:
            return _Choice(_in_words(table, _only("label", table, named), varied), "by its name", True)
    # A column that is called label and holds something else than classes is still what the user means; the problem says what is wrong.
    called = [column for column in columns if _is(column.name, _LABEL) and (column.kind in ("class", "identifier", "text") or _few(column))]
    if called:
        return _Choice(_only("label", table, called), "by its name", True)
    partly = [column for column in varied if _words(column.name) & (_LABEL | _ALSO_LABEL)]
    if partly:
        return _Choice(_only("label", table, partly), "by its name", True)
    varied = [column for column in varied if text_given or not _is(column.name, _TEXT)]
    if varied:
        return _Choice(_only("label", table, varied), "the only column with few different values", False)
    constant = [column for column in classes if not _is(column.name, _TEXT | _ALSO_TEXT)]
    if len(constant) == 1:
        return _Choice(constant[0], "the only column with few different values", False)
    short = [column for column in columns if column.kind == "text" and _is(column.name, _ALSO_LABEL) and column.mean_words <= 5]
    return _Choice(_only("label", table, short), "by its name", True) if short else None


def _few(column: Column) -> bool:
    return column.kind == "number" and column.distinct <= max(2, column.present / 2) and column.distinct <= 100


def _find_text(table: Table, columns: Sequence[Column]) -> _Choice | None:
    """Of the columns with texts, the one whose name says so, the only one, or the far longest."""
    texts = [column for column in columns if column.kind == "text"]
    if not texts:
        return _unlikely_text(columns)
    for names in (_TEXT, _ALSO_TEXT):
        named = [column for column in texts if _is(column.name, names)] or [column for column in texts if _words(column.name) & names]
        if named and (len(texts) == 1 or names is _TEXT):
            return _Choice(_longest("text", table, named), "by its name", True)
    if len(texts) == 1:
        return _Choice(texts[0], "the only column with texts", False)
    return _Choice(_longest("text", table, texts), "by far the longest texts", False)


def _unlikely_text(columns: Sequence[Column]) -> _Choice | None:
    """Without a column of texts: one called so, be it empty, repetitive or of single words; else strings that do not name rows."""
    strings = [column for column in columns if column.strings or column.kind == "empty"]
    for names in (_TEXT, _ALSO_TEXT):
        named = [column for column in strings if _is(column.name, names)]
        if named:
            return _Choice(max(named, key=lambda column: column.mean_length), "by its name", True)
    plain = [column for column in strings if column.kind in ("class", "empty") and not _words(column.name) & _NEVER_LABEL]
    if not plain:
        return None
    return _Choice(max(plain, key=lambda column: (column.distinct, column.mean_length)), "the column with most different strings", False)


def _longest(role: str, table: Table, columns: Sequence[Column]) -> Column:
    ordered = sorted(columns, key=lambda column: -column.mean_length)
    if len(ordered) > 1 and ordered[0].mean_length < LONGER * ordered[1].mean_length:
        return _only(role, table, columns)
    return ordered[0]


def _only(role: str, table: Table, columns: Sequence[Column]) -> Column:
    """The one column, or of several that say the same in other words (0, 1 and negative, positive) the one in words."""
    if len(columns) == 1:
        return columns[0]
    if role == "label" and all(_same(table, columns[0], other) for other in columns[1:]):
        return max(columns, key=lambda column: column.strings)
    both = " and ".join(repr(column.name) for column in columns) if len(columns) == 2 else listed(column.name for column in columns)
    them = "both" if len(columns) == 2 else "all"
    raise DataError(f"{table.origin}: {both} could {them} be the {role}", hint=f"say which: {_flag(table, role, columns[0].name)}")


def _in_words(table: Table, label: Column, columns: Sequence[Column]) -> Column:
    """`label_text` beside a `label` of numbers that means the same: its answers can be read."""
    twins = [one for one in columns if one.strings and not label.strings and label.name in one.name and _same(table, label, one)]
    return twins[0] if twins else label


def _same(table: Table, one: Column, other: Column) -> bool:
    pairs = set(zip(map(str, table[one.name]), map(str, table[other.name]), strict=True))
    return one.distinct == other.distinct == len(pairs)


def _no_label(table: Table, columns: Sequence[Column], text: Column) -> Match | None:
    rest = [column for column in columns if column.name != text.name]
    if any(column.kind in ("list", "other") for column in rest) or any(_is(column.name, _LABEL | _ALSO_LABEL) for column in rest):
        return None
    others = f"the other columns are {listed(column.name for column in rest)}" if rest else "there is no other column"
    raise DataError(f"{table.origin}: no column looks like a label beside the text {text.name!r}; {others}", hint=_flag(table, "label"))


def _words(name: str) -> set[str]:
    return {part.lower() for part in _PART.findall(name)}


def _is(name: str, names: frozenset[str]) -> bool:
    """Whether the whole name, but for digits and marks, is one of these: `label`, `Label_2`."""
    return "".join(_PART.findall(name)).lower() in names


def _flag(table: Table, role: str, name: str = "NAME") -> str:
    return f"autoft run {_quoted(table.origin or 'FILE')} --{role} {_quoted(name)}"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w./-]+", name) else f'"{name}"'
