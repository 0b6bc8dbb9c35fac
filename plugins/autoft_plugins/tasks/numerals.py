"""Numbers as files write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np

from autoft.data.columns import is_missing

_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?\s*", re.ASCII)
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})?\s*", re.ASCII)
_LARGEST = float(np.finfo(np.float32).max)


def decimal_comma(values: Iterable[object]) -> bool:
    """Whether a column is of strings like `1,5`. Not where each could be a whole number of thousands, `1,500`: that is either."""
    strings = [value for value in values if not is_missing(value)]
    return (
        all(isinstance(value, str) and _COMMA.fullmatch(value) for value in strings)
        and any("," in str(value) for value in strings)
        and not all(_THOUSANDS.fullmatch(str(value)) for value in strings)
    )


def number_in(value: object, *, comma: bool = False) -> float | None:
    """A number, or a string that writes one (`1,5` where `comma`); None for anything else, not-a-number and what float32 cannot hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", ".") if comma and isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST else None
