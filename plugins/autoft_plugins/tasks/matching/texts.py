"""Which columns hold what is read: one text, two that belong together, a text and its rewriting, or lists of words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from autoft.data.columns import Column
from autoft.errors import DataError
from autoft_plugins.tasks.matching import words
from autoft_plugins.tasks.matching.tags import bio, tagged, units
from autoft_plugins.tasks.matching.targets import AS_GIVEN, BY_NAME, Target
from autoft_plugins.tasks.matching.view import View, both
from autoft_plugins.tasks.matching.words import exact, parts, twins, whole, within

LONGER = 3.0
"""So many times longer than any other column is a column that is plainly the text."""
MOSTLY = 0.9
"""Share of the rows in which both texts of a pair must be there to be taken as one unasked."""
MATCHING = 0.9
"""Share of the rows in which words and tags must be equally many for their columns to belong together."""


@dataclass(frozen=True)
class Texts:
    """The columns that are read, in the order of their roles. `sure` says that their names tell, or that there is no other choice by far;
    `rivals` that they may as well be read otherwise."""

    columns: tuple[str, ...]
    why: str
    sure: bool
    rivals: bool = False
    doubtful: bool = False


def one_text(view: View, taken: Collection[str], *, unlikely: bool = False) -> Texts | None:
    """The one whose name says so, the only one, or the far longest; where there is none, and `unlikely` ones will do, some strings.

    Raises DataError where two fit equally.
    """
    rest = [column for column in view.columns.values() if column.name not in taken]
    found = _texts(rest)
    if not found:
        return _unlikely(rest, unlikely)
    for names in (words.TEXT, words.ALSO_TEXT):
        named = [column for column in found if exact(column.name, names)] or [column for column in found if within(column.name, names)]
        if named and (len(found) == 1 or names is words.TEXT):
            return Texts((_longest(view, named).name,), BY_NAME, True)
    if len(found) == 1:
        return Texts((found[0].name,), "the only column with texts", False)
    return Texts((_longest(view, found).name,), "by far the longest texts", False)


def _texts(columns: Sequence[Column]) -> list[Column]:
    """Columns of texts; those that name somebody or something only where there is no other. A repeated question is a text, too."""
    found = [column for column in columns if column.kind == "text" or _repeated_text(column)]
    plain = [column for column in found if exact(column.name, words.TEXT) or not within(column.name, words.NEVER)]
    return plain or found


def _repeated_text(column: Column) -> bool:
    long = column.mean_words >= 3 or column.mean_length >= 12
    return column.kind == "class" and column.strings and long and within(column.name, words.TEXT)


def _unlikely(columns: Sequence[Column], unnamed: bool) -> Texts | None:
    """Without a column of texts: one called so, be it empty, repetitive or of single words; else strings that do not name rows."""
    strings = [column for column in columns if (column.strings and column.kind != "list") or column.kind == "empty"]
    for names in (words.TEXT, words.ALSO_TEXT):
        named = [column for column in strings if exact(column.name, names) and column.kind != "date"]
        if named:
            return Texts((max(named, key=lambda column: column.mean_length).name,), BY_NAME, True)
    plain = [column for column in strings if column.kind in ("class", "empty") and not within(column.name, words.NEVER)]
    if not plain or not unnamed:
        return None
    chosen = max(plain, key=lambda column: (column.distinct, column.mean_length))
    return Texts((chosen.name,), "the column with most different strings", False, doubtful=True)


def _longest(view: View, columns: Sequence[Column]) -> Column:
    ordered = sorted(columns, key=lambda column: -column.mean_length)
    if len(ordered) > 1 and ordered[0].mean_length < LONGER * ordered[1].mean_length:
        names = [column.name for column in columns]
        raise DataError(f"{view.table.origin}: {both(names)} be the text", hint=f"say which: {view.flag('text', names[0])}")
    return ordered[0]


def two_texts(view: View, taken: Collection[str], target: Target | None) -> Texts | None:
    """Two columns whose names or whose label say that they belong together; unsurely, the only two of like length."""
    found = _sides(view, taken)
    twice = [pair for pair in permutations(found, 2) if twins(pair[0].name, pair[1].name)]
    if twice:
        one, other = max(twice, key=lambda pair: (exact(pair[0].name, words.TEXT), pair[0].mean_length + pair[1].mean_length))
        return _pair(view, one.name, other.name, BY_NAME)
    topical = target is not None and len(target.columns) == 1 and exact(target.columns[0], words.TOPICS)
    for first, second in _named(found, words.PAIRS):
        return _pair(view, first, second, BY_NAME, rivals=topical)
    if target is None:
        return None
    texts = [column for column in found if column.kind == "text"]
    if len(texts) != 2 or not _full(view, texts):
        return None
    if _relates(view, target):
        return Texts((texts[0].name, texts[1].name), "their label tells how two texts relate", True)
    return Texts((texts[0].name, texts[1].name), "the only two columns with texts", False)


def _pair(view: View, first: str, second: str, why: str, *, rivals: bool = False) -> Texts:
    """Surely two texts of one row, but where a side is often empty."""
    full = _full(view, (view.columns[first], view.columns[second]))
    return Texts((first, second), why if full else f"{why}, though a side is often empty", full, rivals=rivals)


def _full(view: View, sides: Sequence[Column]) -> bool:
    return all(side.present >= MOSTLY * len(view.table) for side in sides)


def partner(view: View, given: Mapping[str, tuple[str, ...]], taken: Collection[str], target: Target | None) -> Texts | None:
    """The two texts where the user named one or both of them."""
    if "text" in given and "text_pair" in given:
        return Texts((*given["text"], *given["text_pair"]), AS_GIVEN, True)
    (role,) = given.keys() & {"text", "text_pair"}
    (mine,) = given[role]
    likely = two_texts(view, taken, target)
    if likely is not None and mine in likely.columns:
        other = likely.columns[1 - likely.columns.index(mine)]
    else:
        found = one_text(view, {*taken, mine})
        if found is None:
            return None
        (other,) = found.columns
    return Texts((mine, other) if role == "text" else (other, mine), AS_GIVEN, "text_pair" in given)


def _sides(view: View, taken: Collection[str]) -> list[Column]:
    found = []
    for column in view.columns.values():
        long = column.mean_words >= 2 or column.mean_length >= 8
        written = column.kind == "text" or (column.kind == "class" and column.strings and long)
        aside = within(column.name, words.NEVER) and not exact(column.name, words.TEXT) and not _is_end(column.name)
        if written and not aside and column.name not in taken:
            found.append(column)
    return found


def _named(columns: Sequence[Column], names: Sequence[tuple[frozenset[str], frozenset[str]]]) -> Iterator[tuple[str, str]]:
    for firsts, seconds in names:
        for first in columns:
            for second in columns:
                if first is not second and _among(first.name, firsts) and _among(second.name, seconds):
                    yield first.name, second.name


def _among(name: str, names: frozenset[str]) -> bool:
    return whole(name) in names or not names.isdisjoint(parts(name))


def _relates(view: View, target: Target) -> bool:
    (name,) = target.columns[:1]
    if exact(name, words.PAIR_TARGETS):
        return True
    values = {whole(str(value)) for value in view.present(name)}
    return bool(values & words.PAIR_LABELS)


def rewritable(view: View) -> bool:
    """Whether names say that one text is to be written from another, be it open from which."""
    return bool(_rewritings(view)[1])


def _rewritings(view: View) -> tuple[list[Column], list[tuple[str, str]]]:
    rest = list(view.columns.values())
    found = _texts(rest)
    found += [column for column in rest if column.strings and column not in found and column.mean_words >= 2 and _is_end(column.name)]
    return found, [pair for pair in _named(found, words.REWRITINGS) if view.columns[pair[1]].kind == "text"]


def rewriting(view: View, text: str | None = None) -> Texts | None:
    """A text, `text` if the user named it, and the one to be written from it; unsurely, the only two columns with texts."""
    found, named = _rewritings(view)
    if text is not None:
        named = [pair for pair in named if pair[0] == text]
    if named:
        first, written = named[0]
        sources = list(dict.fromkeys(first for first, second in named if second == written))
        if len(sources) > 1:
            what = f"{view.table.origin}: {both(sources)} be what {written!r} is written from"
            raise DataError(what, hint=f"join them in one column, or say which: {view.flag('text', first)}")
        return Texts((first, written), BY_NAME, True)
    texts = [column for column in found if column.kind == "text"]
    tongues = [column.name for column in texts if _tongue(column.name)]
    if len(tongues) == 2:
        return Texts((tongues[0], tongues[1]), "two languages by their names, in the order of the file", True)
    if len(texts) != 2:
        return None
    return Texts((texts[0].name, texts[1].name), "the only two columns with texts", False)


def _is_end(name: str) -> bool:
    return any(_among(name, first | second) for first, second in words.REWRITINGS)


def _tongue(name: str) -> bool:
    """English, text_en; not: french_quarter."""
    last = parts(name)[-1:]
    return exact(name, words.LANGUAGES) or (last[:1] != () and last[0] in words.LANGUAGES)


@dataclass(frozen=True)
class Tagged:
    """Words and their tags, or a text and its spans."""

    text: str
    label: str
    why: str
    sure: bool


def tagged_words(view: View, given: Mapping[str, tuple[str, ...]]) -> Tagged | None:
    """A column of words (lists, or strings parted by blanks) and one with a tag for each of them.

    Raises DataError where several columns of tags fit, or where each row holds one word.
    """
    columns = [column for column in view.columns.values() if column.kind in ("list", "text", "class")]
    texts = [c for c in columns if (c.name,) == given["text"]] if "text" in given else [c for c in columns if c.items in ("", "strings")]
    labels = [c for c in columns if (c.name,) == given["label"]] if "label" in given else columns
    fitting = [(text, label) for text in texts for label in labels if text is not label and _tags_of(view, text, label)]
    if not fitting:
        _refuse_single_words(view, columns)
        return _out_of_step(view, texts, labels)
    text = max((text for text, _ in fitting), key=lambda column: (exact(column.name, words.TOKENS), column.items != "", column.distinct))
    tags = [label for one, label in fitting if one is text]
    best = [one for one in tags if "ner" in parts(one.name)] or [one for one in tags if bio(view, one)] or tags
    if len(best) > 1:
        names = [column.name for column in best]
        what = f"{view.table.origin}: {both(names)} be the tags of {text.name!r}"
        raise DataError(what, hint=f"say which: {view.flag('label', names[0])}")
    (label,) = best
    named = within(text.name, words.TOKENS) or within(label.name, words.TAGS)
    sure = "label" in given or named or bio(view, label)
    why = AS_GIVEN if "label" in given else "by its name" if named else "a tag for each word"
    return Tagged(text.name, label.name, why, sure)


def _tags_of(view: View, text: Column, label: Column) -> bool:
    """Whether `label` has a tag for each word of `text`."""
    if label.kind == "list" and label.items not in ("strings", "numbers"):
        return False
    if label.kind != "list" and not bio(view, label):
        return False
    if text.kind != "list" and not text.strings:
        return False
    every = max(1, len(view.table) // 2000)
    rows = zip(view.table[text.name][::every], view.table[label.name][::every], strict=True)
    pairs = [(units(one), units(other)) for one, other in rows if one not in (None, "") and other not in (None, "")]
    if not pairs or max(len(tags) for _, tags in pairs) < 2:
        return False
    even = sum(len(one) == len(other) for one, other in pairs) / len(pairs)
    expected = within(text.name, words.TOKENS) and within(label.name, words.TAGS) and text.kind == label.kind == "list"
    kinds = len({tag for _, tags in pairs for tag in tags})
    fewer = kinds < len({word for found, _ in pairs for word in found})
    return fewer and (even >= MATCHING or (expected and even >= 0.5))


def _out_of_step(view: View, texts: Sequence[Column], labels: Sequence[Column]) -> Tagged | None:
    """Tags beside the only text there is, though nowhere as many as words: the task says where."""
    tags = [column for column in labels if tagged(view, column)]
    read = [column for column in texts if column.strings and column.kind != "list" and column.mean_words >= 2 and column not in tags]
    if len(tags) != 1 or len(read) != 1:
        return None
    return Tagged(read[0].name, tags[0].name, "tags of words, but not one for each", False)


def _refuse_single_words(view: View, columns: Sequence[Column]) -> None:
    for label in columns:
        if label.kind == "class" and bio(view, label) and label.mean_words <= 1:
            what = f"{view.table.origin}: the column {label.name!r} holds one tag a row, so each row is a word"
            hint = 'put the words of a sentence into one row: {"tokens": ["...", "..."], "ner_tags": ["O", "B-PER"]}, or give a CoNLL file'
            raise DataError(what, hint=hint)


def single_words(view: View) -> bool:
    """Whether each row is a word with its tag."""
    return any(c.kind == "class" and c.mean_words <= 1 and bio(view, c) for c in view.columns.values())
