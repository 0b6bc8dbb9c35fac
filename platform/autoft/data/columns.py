"""What the columns of a table look like. This knows nothing of any task: it counts and measures."""

from __future__ import annotations

import ast
import datetime
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from autoft.data.table import Table

Kind: TypeAlias = Literal["empty", "text", "class", "number", "identifier", "date", "list", "other"]
Items: TypeAlias = Literal["", "strings", "numbers", "objects", "mixed"]

SAMPLE = 2000
"""Values of a column whose form is looked at; counts are over all rows."""

_DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}年\d{1,2}月\d{1,2}日|"
    r"\d{1,2}\.?\s+[^\W\d]{3,9}\.?,?\s+\d{4}|[^\W\d]{3,9}\.?\s+\d{1,2},?\s+\d{4})"
    r"([T\s]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[AaPp][Mm]|[+-]\d{2}:?\d{2})?)?\s*"
)
_ADDRESS = re.compile(r"\s*((https?|ftp)://\S+|[^\s@]+@[^\s@]+\.[^\s@]+)\s*")
_NUMBER = re.compile(r"\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_COMMA = re.compile(r"\s*[+-]?\d+,\d{1,2}\s*", re.ASCII)
_FLAGS = frozenset(("0", "1", "0.0", "1.0", "true", "false"))
_CODE = re.compile(r"\s*(?=\S*\d)[\w.:#/-]{1,64}\s*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """`missing` counts None, not-a-number and blank strings of `rows`; `mean_length` is in characters and `mean_words` in
    words parted by blanks, both over the present values; `strings` says that the values are strings, `numbers` that each is a
    number or writes one out, `flags` that each is 0 or 1, true or false. `items` tells what the lists of a column of lists hold,
    and `encoded` that they are written out as strings."""

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    mean_length: float
    mean_words: float
    strings: bool
    numbers: bool = False
    flags: bool = False
    items: Items = ""
    encoded: bool = False

    @property
    def present(self) -> int:
        return self.rows - self.missing


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing: None, not-a-number, or a string of blanks."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and math.isnan(value))


def profile(table: Table) -> list[Column]:
    """One `Column` a column, in the table's order."""
    return [profile_column(name, values) for name, values in table.columns.items()]


def profile_column(name: str, values: Sequence[Any]) -> Column:
    """Counts over all values; the form is judged on `SAMPLE` of them, evenly spread."""
    present = [value for value in values if not is_missing(value)]
    sample = present[:: max(1, len(present) // SAMPLE)]
    texts = [value if isinstance(value, str) else str(value) for value in sample]
    length = sum(map(len, texts)) / max(1, len(texts))
    words = sum(len(text.split()) for text in texts) / max(1, len(texts))
    strings = bool(sample) and all(isinstance(value, str) for value in sample)
    distinct = _distinct(present)
    flags = bool(sample) and distinct <= 4 and all(text.strip().lower() in _FLAGS for text in texts)
    lists = [as_list(value) for value in sample]
    if lists and all(one is not None for one in lists):
        items = _items([item for one in lists for item in one or ()])
        return Column(name, "list", len(values), len(values) - len(present), distinct, length, words, strings, False, False, items, strings)
    numbers = _numbers(sample) and _numbers(present)
    kind = _kind(present, sample, distinct, length, words, numbers)
    return Column(name, kind, len(values), len(values) - len(present), distinct, length, words, strings, bool(numbers), flags)


def as_list(value: object) -> list[Any] | None:
    """The list that a cell holds, or writes out as JSON or as Python prints it; None for what is no list."""
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str) or not (value.lstrip().startswith("[") and value.rstrip().endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return list(found) if isinstance(found, list) else None
    return None


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """All of them, or None where one is no number."""
    found = []
    for value in values:
        number = as_number(value)
        if number is None:
            return None
        found.append(number)
    return found


def _items(items: Sequence[Any]) -> Items:
    if all(isinstance(item, str) for item in items):
        return "strings"
    if all(isinstance(item, int | float) for item in items):
        return "numbers"
    return "objects" if all(isinstance(item, Mapping | list | tuple) for item in items) else "mixed"


def as_number(value: object) -> float | None:
    """The number that a cell holds or writes out, be it with a decimal comma (4,5); None for what is none."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return float(value)
        return float(value.replace(",", ".")) if _COMMA.fullmatch(value) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _distinct(present: Sequence[Any]) -> int:
    try:
        return len(set(present))
    except TypeError:
        return len({repr(value) for value in present})


def _kind(present: Sequence[Any], sample: Sequence[Any], distinct: int, length: float, words: float, numbers: list[float] | None) -> Kind:
    if not present:
        return "empty"
    if all(isinstance(value, bool) for value in sample):
        return "class"
    if numbers:
        return _kind_of_numbers(numbers, distinct)
    if all(isinstance(value, datetime.date | datetime.time) for value in sample):
        return "date"
    if not all(isinstance(value, str | int | float) for value in sample):
        return "other"
    return _kind_of_strings([str(value) for value in sample], len(present), distinct, length, words)


def _kind_of_numbers(present: Sequence[float], distinct: int) -> Kind:
    """Few whole numbers, often repeated, are classes, and so are up to 4 fractions; whole numbers that never repeat count or name
    the rows."""
    whole = all(value.is_integer() for value in present if math.isfinite(value))
    mean_rows = len(present) / distinct
    if not whole:
        return "class" if distinct <= 4 and mean_rows >= 3 else "number"
    if distinct == len(present) and distinct > 2:
        return "identifier"
    if distinct <= 20 and mean_rows >= 2:
        return "class"
    dense = max(present) - min(present) < 2 * distinct
    return "class" if mean_rows >= 5 and dense and distinct <= 1000 else "number"


def _kind_of_strings(sample: Sequence[str], present: int, distinct: int, length: float, words: float) -> Kind:
    if _share(_DATE, sample) >= 0.95:
        return "date"
    unique = distinct >= 0.95 * present
    if unique and words < 1.05 and max(_share(_CODE, sample), _share(_ADDRESS, sample)) >= 0.9:
        return "identifier"
    if distinct <= present / 2 and length <= 80 and words <= 8:
        return "class"
    return "text"


def _share(pattern: re.Pattern[str], sample: Sequence[str]) -> float:
    return sum(pattern.fullmatch(text) is not None for text in sample) / max(1, len(sample))
