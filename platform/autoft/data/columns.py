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

from autoft.data.numerals import NEARLY, is_code, looks_like_number, numerals_of
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
_FLAGS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "ja", "oui", "sí", "si", "sì", "да", "是", "はい", "x", "✓", "✔"), 1),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "nein", "non", "nee", "нет", "否", "いいえ"), 0),
}
_CODE = re.compile(r"\s*(?=\S*\d)[\w.:#/-]{1,64}\s*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """`missing` counts None, not-a-number and blank strings of `rows`; `mean_length` is in characters and `mean_words` in
    words parted by blanks, both over the present values; `strings` says that the values are strings, `numbers` that all, or all but
    a few `strays`, are numbers or write one out, `flags` that each says yes or no (0 and 1, true and false, x and nothing). `items`
    tells what the lists of a column of lists hold, and `encoded` that they are written out as strings."""

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
    strays: int = 0

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
    flags = bool(sample) and distinct <= 4 and all(as_flag(value) is not None for value in sample)
    lists = [as_list(value) for value in sample]
    if lists and all(one is not None for one in lists):
        if not any(as_list(value) for value in present):
            return Column(name, "empty", len(values), len(values), 0, 0.0, 0.0, strings, encoded=strings)
        items = _items([item for one in lists for item in one or ()])
        return Column(name, "list", len(values), len(values) - len(present), distinct, length, words, strings, False, False, items, strings)
    numbers = _numbers(sample) and _numbers(present)
    strays = len(present) - len(numbers) if numbers else 0
    kind = _kind(present, sample, len(set(numbers)) if numbers and strays else distinct, length, words, numbers)
    counts = (len(values), len(values) - len(present), distinct, length, words)
    return Column(name, kind, *counts, strings, bool(numbers), flags, strays=strays)


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
    """Those that are numbers, where nearly all are; all but a few are written alike, then, or at least look so."""
    numerals = numerals_of(values)
    found = [number for value in values if (number := numerals.read(value)) is not None]
    if len(found) < len(values) and sum(map(looks_like_number, values)) < NEARLY * len(values):
        return None
    return found if 2 * len(found) > len(values) and not any(map(is_code, values)) else None


def _items(items: Sequence[Any]) -> Items:
    if all(isinstance(item, str) for item in items):
        return "strings"
    if all(isinstance(item, int | float) for item in items):
        return "numbers"
    return "objects" if all(isinstance(item, Mapping | list | tuple) for item in items) else "mixed"


def as_flag(value: object) -> int | None:
    """1 or 0 of a cell that says yes or no; None for any other."""
    return _FLAGS.get(str(value).strip().lower())


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
