"""From the cells of a table to words and their tags in BIO, however they are written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeAlias

from autoft.data.columns import as_list, is_missing
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.tasks.fields import shown, where
from autoft_plugins.tasks.spans import SpanError, spans_of, tags_of_spans
from autoft_plugins.tasks.tags import OUTSIDE, Tag, TagError, as_bio, id_name, ids_are_bio, is_iob1, parsed, scheme_of
from autoft_plugins.tasks.texts import clean
from autoft_plugins.tasks.words import Span, joined, parted_by_blanks, words_in

Splitting: TypeAlias = Literal["list", "blanks", "words"]
"""Whether texts come as lists of words, are parted at blanks (their tags came so), or by `words_in`."""
Form: TypeAlias = Literal["tags", "ids", "spans"]

RARE = 0.01
"""Share of the entities that may have an impossible tag: so many are repaired, more are refused."""
MOST_TAGS = 800
"""Different tags of a column, above which it is taken for something else."""

Cell: TypeAlias = tuple[str, tuple[Span, ...]]
"""A text and where its words stand."""


@dataclass(frozen=True)
class Notation:
    """How a problem's text and label are written; one for all its files."""

    splitting: Splitting
    form: Form
    scheme: str
    bio_ids: bool = False

    @classmethod
    def of(cls, extra: Mapping[str, Any]) -> Notation:
        """From `Problem.extra`."""
        return cls(extra["splitting"], extra["form"], extra["scheme"], bool(extra["bio_ids"]))


@dataclass(frozen=True)
class Annotated:
    """Rows with their tags in BIO; `remarks` tell what was changed on the way."""

    notation: Notation
    rows: tuple[tuple[Tag, ...], ...]
    texts: tuple[str, ...]
    entities: Mapping[str, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Where cells stand, for messages."""

    table: Table
    text: str
    label: str

    def fail(self, row: int, what: str, hint: str, *, column: str | None = None) -> NoReturn:
        """Raises DataError. `row` counts from 0."""
        raise DataError(f"{self.at(row, column)}: {what}", hint=hint)

    def at(self, row: int, column: str | None = None) -> str:
        """File, row and column of a cell, the label's if no other is named."""
        return where(self.table, row, column or self.label)


def usable_cell(text: object, label: object) -> bool:
    """Whether there are words, and an answer about them (no entity is one)."""
    words = as_list(text)
    return not is_missing(label) and not is_missing(text) and words != []


def cell_of(value: object, splitting: Splitting, columns: Columns, row: int) -> Cell:
    """The words of a cell of a file. A missing one has none. Raises DataError for a list of something else than words."""
    if splitting == "list":
        words = as_list(value)
        if words is not None:
            return joined([_word(word, columns, row) for word in words])
    if isinstance(value, list | tuple | dict):
        columns.fail(row, f"the text is {shown(value)}, not a string", "name another column: --text NAME", column=columns.text)
    text = "" if is_missing(value) else clean(str(value))
    return text, parted_by_blanks(text) if splitting == "blanks" else words_in(text)


def _word(word: object, columns: Columns, row: int) -> str:
    if isinstance(word, bool) or not isinstance(word, str | int | float):
        columns.fail(row, f"a word is {shown(word)}, not a string", "name another column: --text NAME", column=columns.text)
    return clean(str(word))


def annotate(columns: Columns, usable: Iterable[int]) -> Annotated:
    """Find out how the rows `usable` are written and read them. Raises DataError with row, column and value for what cannot be."""
    rows = list(usable)
    labels = {row: _label(columns, row) for row in rows}
    form = _form(columns, labels)
    splitting = _splitting(columns, rows, form)
    cells = {row: cell_of(columns.table[columns.text][row], splitting, columns, row) for row in rows}
    remarks: list[str] = []
    notation = Notation(splitting, form, "BIO")
    if form == "ids":
        notation = Notation(splitting, form, *_ids(columns, labels, remarks))
        labels = {row: [id_name(number, notation.bio_ids) for number in label] for row, label in labels.items()}
    elif form == "tags":
        labels = {row: [tag.strip() for tag in label] for row, label in labels.items()}
        notation = Notation(splitting, form, _scheme(columns, labels))
        if notation.scheme != "BIO":
            remarks.append(f"the tags of {columns.label!r} are in the scheme {notation.scheme}; they are learned as BIO")
    tags, notes = _bio(columns, labels, cells, notation)
    counts = Counter(kind for row in tags for letter, kind in row if letter == "B")
    return Annotated(notation, tags, tuple(cells[row][0] for row in rows), dict(sorted(counts.items())), (*remarks, *notes))


def tagged(columns: Columns, notation: Notation) -> tuple[tuple[Tag, ...], ...]:
    """The tags of every row of another table, which is written as `notation` says. Raises DataError."""
    rows = range(len(columns.table))
    labels = {row: _label(columns, row) for row in rows}
    cells = {row: cell_of(columns.table[columns.text][row], notation.splitting, columns, row) for row in rows}
    for row, label in labels.items():
        _check(columns, row, label, notation.form)
    if notation.form == "ids":
        labels = {row: [id_name(number, notation.bio_ids) for number in label] for row, label in labels.items()}
    elif notation.form == "tags":
        labels = {row: [tag.strip() for tag in label] for row, label in labels.items()}
    return _bio(columns, labels, cells, notation)[0]


def _label(columns: Columns, row: int) -> list[Any]:
    value = columns.table[columns.label][row]
    found = as_list(value)
    if found is not None:
        return found
    if isinstance(value, str) and not is_missing(value):
        return value.split()
    hint = "give a list of tags, or of {start, end, label}; or name another column: --label NAME"
    return columns.fail(row, f"the label is {shown(value)}, which is no list of tags or spans", hint)


def _form(columns: Columns, labels: Mapping[int, Sequence[Any]]) -> Form:
    for row, label in labels.items():
        if label:
            form = _form_of(label[0])
            if form is None:
                hint = "a label is a list of tags, one a word, or of {start, end, label}; or name another column: --label NAME"
                columns.fail(row, f"the label holds {shown(label[0])}, which is neither a tag nor a span", hint)
            for other, one in labels.items():
                _check(columns, other, one, form)
            return form
    what = f"{columns.table.origin}: the label column {columns.label!r} has no tags and no spans in any of {len(labels)} rows"
    raise DataError(what, hint="name another column: --label NAME")


def _form_of(item: object) -> Form | None:
    if isinstance(item, str):
        return "tags"
    if isinstance(item, int) and not isinstance(item, bool):
        return "ids"
    is_span = isinstance(item, Mapping) or (isinstance(item, list | tuple) and len(item) == 3 and isinstance(item[2], str))
    return "spans" if is_span else None


def _check(columns: Columns, row: int, label: Sequence[Any], form: Form) -> None:
    for place, item in enumerate(label):
        if _form_of(item) != form:
            columns.fail(row, f"item {place} of the label is {shown(item)} where others are {form}", f"write all labels as {form}")


def _splitting(columns: Columns, rows: Sequence[int], form: Form) -> Splitting:
    lists = {row: as_list(columns.table[columns.text][row]) is not None for row in rows}
    is_list = sum(lists.values()) > len(rows) / 2
    if form != "spans":
        return "list" if is_list else "blanks"
    if is_list:
        row = next(row for row, listed in lists.items() if listed)
        what = "the text is a list of words, and the labels are spans of characters, which need a string to count in"
        columns.fail(row, what, "give the text as one string, or a tag for each word", column=columns.text)
    return "words"


def _ids(columns: Columns, labels: Mapping[int, Sequence[int]], remarks: list[str]) -> tuple[str, bool]:
    """(scheme, whether they are numbered as BIO tags are)."""
    counts = Counter(number for label in labels.values() for number in label)
    names = "write tags such as B-PER, I-PER and O instead of ids"
    for row, label in labels.items():
        odd = next((number for number in label if number < 0), None)
        if odd is not None:
            columns.fail(row, f"{odd} is no id of a tag", f"give the words as they are, before any tokenizer; {names}")
    common = max(counts, key=lambda number: counts[number])
    if counts[0] < counts[common]:
        what = f"{columns.table.origin}, column {columns.label!r}: the ids have no names, and the commonest is {common}"
        raise DataError(f"{what}, not 0, so that O, the tag of words outside of all entities, cannot be told", hint=names)
    bio = ids_are_bio(labels.values())
    how = "O, B-LABEL_1, I-LABEL_1, B-LABEL_2, ..., as which they are numbered" if bio else "O, LABEL_1, LABEL_2, ... in the scheme IO"
    remarks.append(f"the ids of {columns.label!r} have no names: they are taken as {how}")
    return ("BIO" if bio else "IO"), bio


def _scheme(columns: Columns, labels: Mapping[int, Sequence[str]]) -> str:
    rows: dict[str, int] = {}
    for row, label in labels.items():
        for tag in label:
            rows.setdefault(tag, row)
    hint = "write all tags in one scheme, e.g. B-PER, I-PER and O; or name another column: --label NAME"
    if OUTSIDE not in rows:
        some = listed(sorted(rows), 4)
        what = f"{columns.table.origin}, column {columns.label!r}: no word has the tag O, which marks words outside of entities"
        raise DataError(f"{what} (there are {some})", hint=hint)
    if len(rows) > MOST_TAGS:
        columns.fail(next(iter(labels)), f"{len(rows)} different values are hardly tags of entities", hint)
    try:
        scheme = scheme_of(rows)
        tags = [[parsed(tag, scheme) for tag in label] for label in labels.values()]
    except TagError as error:
        columns.fail(rows.get(error.tag or "", next(iter(labels))), str(error), hint)
    return "IOB1" if scheme == "BIO" and is_iob1(tags) else scheme


def _bio(
    columns: Columns, labels: Mapping[int, Sequence[Any]], cells: Mapping[int, Cell], notation: Notation
) -> tuple[tuple[tuple[Tag, ...], ...], list[str]]:
    if notation.form == "spans":
        return _from_spans(columns, labels, cells)
    made: list[tuple[Tag, ...]] = []
    faults: list[tuple[int, int]] = []
    for row, label in labels.items():
        words = len(cells[row][1])
        if len(label) != words:
            hint = "give one tag for each word"
            columns.fail(row, f"there are {len(label)} tags for {words} words of {columns.text!r}", hint)
        try:
            tags = [parsed(tag, notation.scheme) for tag in label]
        except TagError as error:
            close = nearest(error.tag or "", {tag for one in labels.values() for tag in one} - {error.tag})
            columns.fail(row, str(error), f"did you mean {close!r}?" if close else "write all tags in one scheme")
        bio, wrong = as_bio(tags, notation.scheme)
        made.append(tuple(bio))
        faults += [(row, place) for place in wrong]
    return tuple(made), _repaired(columns, labels, cells, made, faults)


def _repaired(
    columns: Columns,
    labels: Mapping[int, Sequence[str]],
    cells: Mapping[int, Cell],
    made: Sequence[Sequence[Tag]],
    faults: Sequence[tuple[int, int]],
) -> list[str]:
    """A remark when few tags were impossible. Raises DataError when many were."""
    if not faults:
        return []
    entities = sum(letter == "B" for row in made for letter, _ in row)
    row, place = faults[0]
    text, spans = cells[row]
    word = text[slice(*spans[place])]
    first = f"{labels[row][place]!r} of the word {word!r} (number {place + 1})"
    if len(faults) > RARE * entities:
        what = f"the tag {first} cannot stand there: an entity goes on that was not begun, or is not ended; {len(faults)} tags are so"
        hint = f"begin each entity with B-...; up to {RARE:.0%} of the entities are mended as they are read"
        columns.fail(row, f"{what}, for {entities} entities", hint)
    return [f"{len(faults)} tags cannot stand where they do and were mended, the first is {first} in {columns.at(row)}"]


def _from_spans(
    columns: Columns, labels: Mapping[int, Sequence[Any]], cells: Mapping[int, Cell]
) -> tuple[tuple[tuple[Tag, ...], ...], list[str]]:
    made: list[tuple[Tag, ...]] = []
    cut, first, total = 0, -1, 0
    for row, label in labels.items():
        text, words = cells[row]
        try:
            spans = spans_of(label, text)
            tags, expanded = tags_of_spans(words, spans)
        except SpanError as error:
            columns.fail(row, str(error), error.hint)
        made.append(tuple(tags))
        total += len(spans)
        if expanded and not cut:
            first = row
        cut += expanded
    if not cut:
        return tuple(made), []
    return tuple(made), [f"{cut} of {total} spans cut words and were taken as whole words, the first in {columns.at(first)}"]
