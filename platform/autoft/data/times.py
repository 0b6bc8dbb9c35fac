"""Moments in time, from what tables hold: numbers, dates, and strings in the common ways to write dates."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.table import Table
from autoft.errors import DataError

_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp])?(?(half)\.?[Mm]\.?)\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_LATER = rf"(?:(?:\s*[T,]\s*|\s+){_CLOCK})?\s*"
_YEAR_FIRST = re.compile(rf"\s*(?P<year>\d{{4}})\s*[-/.年]\s*(?P<month>\d{{1,2}})(?:\s*[-/.月]\s*(?P<day>\d{{1,2}})\s*日?|\s*月)?{_LATER}")
_YEAR_LAST = re.compile(rf"\s*(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d{{2}}){_LATER}")
_NAMED = (
    re.compile(
        rf"\s*(?:[A-Za-z]+,?\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?P<name>[A-Za-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}){_LATER}"
    ),
    re.compile(rf"\s*(?:[A-Za-z]+,\s+)?(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_LATER}"),
    re.compile(rf"\s*[A-Za-z]{{3}}\s+(?P<name>[A-Za-z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s+(?P<year>\d{{4}})\s*"),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HINT = "write dates as 2024-03-05 or 2024-03-05T16:30:00, or give numbers"


def read_times(table: Table, column: str) -> npt.NDArray[np.float64]:
    """A number a row, shape (n,), that grows with time; not-a-number where the cell is empty.

    Columns of numbers are taken as they are, dates become seconds since 1970, without a zone in UTC. Raises DataError naming the row
    of a value that is no time, and where day and month cannot be told apart.
    """
    values = table[column]
    if all(map(is_missing, values)):
        raise DataError(f"{table.origin}: the time column {column!r} is empty in all {len(table)} rows", hint="name another: --time NAME")
    if all(is_missing(value) or _is_number(value) for value in values):
        found = [math.nan if is_missing(value) else float(value) for value in values]
    else:
        day_first = _day_first(table, column)
        known: dict[str, float | None] = {}
        found = []
        for row, value in enumerate(values):
            if not isinstance(value, str):
                moment = math.nan if is_missing(value) else _moment(value, day_first)
            elif value in known:
                moment = known[value]
            else:
                moment = known[value] = math.nan if is_missing(value) else _moment(value, day_first)
            if moment is None:
                raise _unreadable(table, column, row)
            found.append(moment)
    times = np.asarray(found, dtype=np.float64)
    if np.isinf(times).any():
        raise _unreadable(table, column, int(np.flatnonzero(np.isinf(times))[0]))
    return times


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unreadable(table: Table, column: str, row: int) -> DataError:
    value = repr(table[column][row])
    shown = value if len(value) <= 60 else value[:57] + "..."
    return DataError(f"{table.origin}, row {table.number(row)}: the time column {column!r} holds {shown}, which is no time", hint=_HINT)


def _day_first(table: Table, column: str) -> bool:
    """Whether 3/4/2024 is the third of April in this column: a number above 12 in any row tells, and dots are written so."""
    matches = [match for match in map(_YEAR_LAST.fullmatch, _strings(table[column])) if match and match["mark"] != "."]
    if not matches or any(int(match["first"]) > 12 for match in matches):
        return True
    if any(int(match["second_"]) > 12 for match in matches):
        return False
    if all(match["first"] == match["second_"] for match in matches):
        return True
    what = f"{table.origin}: the time column {column!r} does not tell day from month, as in {matches[0][0].strip()!r}"
    raise DataError(f"{what}: none of its numbers is above 12", hint=_HINT)


def _strings(values: Iterable[object]) -> set[str]:
    return {value for value in values if isinstance(value, str)}


def _moment(value: object, day_first: bool) -> float | None:
    if isinstance(value, datetime.datetime):
        return _seconds(value)
    if isinstance(value, datetime.date):
        return _seconds(datetime.datetime(value.year, value.month, value.day))
    if not isinstance(value, str):
        return None
    try:
        return _seconds(datetime.datetime.fromisoformat(value.strip()))
    except ValueError:
        pass
    try:
        return _parsed(value, day_first)
    except (ValueError, OverflowError):
        return None


def _seconds(moment: datetime.datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _parsed(text: str, day_first: bool) -> float | None:
    """Raises ValueError where the form is that of a date and there is no such day."""
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"] or 1)
    elif match := _YEAR_LAST.fullmatch(text):
        year = int(match["year"])
        if len(match["year"]) == 2:
            year += 1900 if year >= 70 else 2000
        month, day = int(match["second_"]), int(match["first"])
        if not (day_first or match["mark"] == "."):
            month, day = day, month
    elif match := next((found for found in (pattern.fullmatch(text) for pattern in _NAMED) if found), None):
        year, month, day = int(match["year"]), _MONTHS.index(match["name"][:3].lower()) + 1, int(match["day"])
    else:
        return None
    return _seconds(datetime.datetime(year, month, day)) + _clock(match)


def _clock(match: re.Match[str]) -> float:
    """Seconds since midnight, UTC."""
    if match["hour"] is None:
        return 0.0
    hour, minute, second = int(match["hour"]), int(match["minute"]), float((match["second"] or "0").replace(",", "."))
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
    if hour > 23 or minute > 59 or second >= 61:
        raise ValueError(match[0])
    zone = match["zone"] or "Z"
    offset = 0 if zone[0] not in "+-" else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[-2:]))
    return 3600.0 * hour + 60.0 * (minute - offset) + second
