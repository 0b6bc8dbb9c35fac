"""What the columns of a table look like. This knows nothing of any task: it counts and measures."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from autoft.data.table import Table

Kind: TypeAlias = Literal["empty", "text", "class", "number", "identifier", "date", "list", "other"]

SAMPLE = 2000
"""Values of a column whose form is looked at; counts are over all rows."""

_DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}年\d{1,2}月\d{1,2}日)"
    r"([T\s]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[AaPp][Mm]|[+-]\d{2}:?\d{2})?)?\s*"
)
_ADDRESS = re.compile(r"\s*((https?|ftp)://\S+|[^\s@]+@[^\s@]+\.[^\s@]+)\s*")
_CODE = re.compile(r"\s*(?=\S*\d)[\w.:#/-]{1,64}\s*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """`missing` counts None, not-a-number and blank strings of `rows`; `mean_length` is in characters and `mean_words` in
    words parted by blanks, both over the present values; `strings` says that the values are strings."""

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    mean_length: float
    mean_words: float
    strings: bool

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
    kind = _kind(present, sample, distinct, length, words)
    return Column(name, kind, len(values), len(values) - len(present), distinct, length, words, strings)


def _distinct(present: Sequence[Any]) -> int:
    try:
        return len(set(present))
    except TypeError:
        return len({repr(value) for value in present})


def _kind(present: Sequence[Any], sample: Sequence[Any], distinct: int, length: float, words: float) -> Kind:
    if not present:
        return "empty"
    if all(isinstance(value, bool) for value in sample):
        return "class"
    if all(isinstance(value, int | float) for value in sample):
        return _kind_of_numbers([float(value) for value in present if isinstance(value, int | float)], distinct)
    if all(isinstance(value, datetime.date | datetime.time) for value in sample):
        return "date"
    if all(isinstance(value, list | tuple) for value in sample):
        return "list"
    if not all(isinstance(value, str | int | float) for value in sample):
        return "other"
    return _kind_of_strings([str(value) for value in sample], len(present), distinct, length, words)


def _kind_of_numbers(present: Sequence[float], distinct: int) -> Kind:
    """Few numbers, often repeated, are classes; whole numbers that never repeat count or name the rows."""
    whole = all(value.is_integer() for value in present if math.isfinite(value))
    if whole and distinct == len(present) and distinct > 2:
        return "identifier"
    mean_rows = len(present) / distinct
    dense = whole and max(present) - min(present) < 2 * distinct
    if whole and distinct <= 20 and mean_rows >= 2:
        return "class"
    return "class" if mean_rows >= 5 and (distinct <= 10 or (dense and distinct <= 1000)) else "number"


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
