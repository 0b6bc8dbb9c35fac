"""Whether two answers are the same: JSON, equal but for 1e-4 on its fractions. Needs nothing but Python.

autoft predict BUNDLE --json "a text" | python tests/same_answers.py ANSWER
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from operator import eq
from pathlib import Path
from typing import Any

TOLERANCE = 1e-4


def close(said: float, found: Any) -> bool:
    return isinstance(found, float) and math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def same(said: Any, found: Any, *, number: Callable[[float, Any], bool] = close, text: Callable[[str, Any], bool] = eq) -> bool:
    """Equal in form, in the order of keys and in all values; `number` compares fractions, `text` strings."""
    if isinstance(said, dict):
        alike = isinstance(found, dict) and list(said) == list(found)
        return alike and all(same(said[key], found[key], number=number, text=text) for key in said)
    if isinstance(said, list):
        alike = isinstance(found, list) and len(said) == len(found)
        return alike and all(same(one, other, number=number, text=text) for one, other in zip(said, found, strict=True))
    if isinstance(said, float):
        return number(said, found)
    return text(said, found) if isinstance(said, str) else said == found


def main() -> None:
    said, found = Path(sys.argv[1]).read_text(encoding="utf-8"), sys.stdin.read()
    if not same(json.loads(said), json.loads(found)):
        sys.exit(f"{found}is not\n{said}")


if __name__ == "__main__":
    main()
