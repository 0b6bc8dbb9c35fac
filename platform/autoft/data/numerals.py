"""Numbers as files write them: 1234.5, 1.234,50, $1,234.50, 15%. What a mark means, only the whole column tells."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

NEARLY = 0.95
"""Share of the values of a column of numbers that are numbers; the others are for the user to correct."""

_SIGN = r"[$€£¥₹₽₩₺]|EUR|USD|GBP|CHF|%"
_BODY = r"\d[\d.,'’ \u00a0\u202f]*(?:[eE][+-]?\d{1,3})?|[.,]\d+"
_WRITTEN = re.compile(rf"\s*([+-]?)\s*({_SIGN})?\s*([+-]?)({_BODY})\s*({_SIGN})?\s*", re.ASCII)
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "’": "'"})
_MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))


@dataclass(frozen=True)
class Numerals:
    """How a column writes its numbers: the mark before fractions, the one between thousands, and what stands beside each number, a
    currency or %."""

    decimal: str = "."
    thousands: str = ""
    sign: str = ""

    def read(self, value: object) -> float | None:
        """A number, or a string that writes one so; None for anything else, and for what is not finite."""
        if isinstance(value, str):
            written = _pieces(value)
            return _read(written[1], self.decimal, self.thousands) if written and written[0] == self.sign else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    def remarks(self, values: Sequence[object]) -> list[str]:
        """How a string of the column is read where it is not as Python would: `'1.234,50 €' is read as 1234.5`."""
        if self == Numerals():
            return []
        strings = [value for value in values if isinstance(value, str) and self.read(value) is not None]
        shown = max(strings, key=lambda text: sum(mark in text for mark in (self.decimal, self.thousands) if mark), default=None)
        return [f"numbers like {shown.strip()} are read as {self.read(shown):.12g}"] if shown is not None else []


def numerals_of(values: Iterable[object]) -> Numerals:
    """The way to write numbers that reads most of `values`; of several that do, the plainest. See `two_readings` for what stays open."""
    values = list(values)
    written = [pieces for value in values if isinstance(value, str) and (pieces := _pieces(value))]
    if not written:
        return Numerals()
    sign = Counter(sign for sign, _ in written).most_common(1)[0][0]
    bodies = [body for one, body in written if one == sign]
    # Beside real numbers, strings write fractions as these do.
    mixed = any(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) for value in values)
    used = {mark for mark in ".,' " if any(mark in body for body in bodies)}
    marks = [(point, group) for point, group in _MARKS if (point == "." or not mixed) and (group or point) in {".", *used}]
    if sign in ("", "%") and all(_read(body, *_MARKS[0]) is not None for body in bodies):
        return Numerals(sign=sign)
    readable = {pair: sum(_read(body, *pair) is not None for body in bodies) for pair in marks}
    best = max(readable.values())
    fitting = [pair for pair in marks if readable[pair] == best]
    # Money has no three digits behind its point.
    grouped = [pair for pair in fitting if pair[1] in used] if sign not in ("", "%") else []
    decimal, thousands = (grouped or fitting)[0]
    return Numerals(decimal, thousands, sign)


def two_readings(values: Sequence[object], numerals: Numerals) -> tuple[int, float, float] | None:
    """Where each mark may part thousands as well as fractions (3.883 beside 928): the first such place, and both its readings.

    Digits after a point that are always there, and always three, are taken as fractions: programs write so.
    """
    if numerals.thousands or numerals.sign not in ("", "%"):
        return None
    mark, strings = numerals.decimal, _strings(values, numerals)
    marked = [(place, value) for place, value in strings if mark in value]
    if not may_be_thousands([value for _, value in strings], mark, numerals.sign) or (mark == "." and len(marked) == len(strings)):
        return None
    place, value = marked[0]
    return place, numerals.read(value) or 0.0, _grouped(mark, numerals.sign).read(value) or 0.0


def may_be_thousands(values: Sequence[str], mark: str = ".", sign: str = "") -> bool:
    """Whether `mark` could part thousands in each of these numbers, and is in one: 3.883 and 928, not 0.883 nor 3.88."""
    other = _grouped(mark, sign)
    return all(other.read(value) is not None for value in values) and any(mark in value for value in values)


def always_three(values: Sequence[object], numerals: Numerals) -> str | None:
    """The first of strings that all have a point and three digits behind it, as a German file writes thousands; else None."""
    strings = [value for _, value in _strings(values, numerals)]
    plain = (numerals.decimal, numerals.thousands) == (".", "")
    return strings[0] if plain and may_be_thousands(strings, ".", numerals.sign) and all("." in value for value in strings) else None


def _strings(values: Sequence[object], numerals: Numerals) -> list[tuple[int, str]]:
    return [(place, value) for place, value in enumerate(values) if isinstance(value, str) and numerals.read(value) is not None]


def _grouped(mark: str, sign: str) -> Numerals:
    return Numerals("," if mark == "." else ".", mark, sign)


def decimal_comma(values: Iterable[object]) -> bool:
    """Whether all values that are there are strings like `1,5`, and could not be whole thousands, `1,500`, throughout."""
    present = [value for value in values if value is not None and value != ""]
    numerals = numerals_of(present)
    plainly = (numerals.decimal, numerals.thousands) == (",", "") and all(numerals.read(value) is not None for value in present)
    return plainly and two_readings(present, numerals) is None


def looks_like_number(value: object) -> bool:
    """Whether a cell is a number, or is written like one in whatever way."""
    return _pieces(value) is not None if isinstance(value, str) else Numerals().read(value) is not None


def is_code(value: object) -> bool:
    """Whether a string of digits begins with a 0, as numbers do not."""
    return isinstance(value, str) and re.match(r"\s*[+-]?0\d", value) is not None


def _pieces(text: str) -> tuple[str, str] | None:
    """(sign, the rest of a number with its minus)."""
    found = _WRITTEN.fullmatch(text)
    if found is None or (found[2] and found[5]) or (found[1] and found[3]):
        return None
    return found[2] or found[5] or "", (found[1] or found[3] or "") + found[4].translate(_BLANKS).strip()


def _read(body: str, decimal: str, thousands: str) -> float | None:
    plain, grouped = _patterns(decimal, thousands)
    if grouped is not None and grouped.fullmatch(body):
        body = body.replace(thousands, "")
    elif not plain.fullmatch(body):
        return None
    number = float(body.replace(decimal, "."))
    return number if math.isfinite(number) else None


@cache
def _patterns(decimal: str, thousands: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    point, group = re.escape(decimal), re.escape(thousands)
    plain = re.compile(rf"[+-]?(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d{{1,3}})?", re.ASCII)
    return plain, re.compile(rf"[+-]?[1-9]\d{{0,2}}({group}\d{{3}})+({point}\d+)?", re.ASCII) if thousands else None
