"""Reading result.json, of which any part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dig(value: Any, *keys: str) -> Any:
    """What is found by one key after the other; None where one is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def is_number(value: object) -> bool:
    """Whether it is a finite one; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def interval_of(value: object) -> tuple[float, float, float] | None:
    """Value, low and high; None where one of them is no number."""
    if not isinstance(value, Mapping):
        return None
    found = [value.get(name) for name in ("value", "low", "high")]
    return (float(found[0]), float(found[1]), float(found[2])) if all(is_number(v) for v in found) else None  # type: ignore[arg-type]
