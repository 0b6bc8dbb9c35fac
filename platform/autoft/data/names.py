"""Names in messages: the nearest one, a list that stays short, and how many there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice most like `name`, whatever its case; None when none is near.

    A choice that contains `name`, or is contained in it, is near as well (`stars` for `star_rating_stars`).
    """
    wanted = name.casefold()
    folded: dict[str, str] = {}
    for choice in choices:
        folded.setdefault(choice.casefold(), choice)
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    if len(wanted) < 3:
        return None
    inside = [key for key in folded if len(key) >= 3 and (wanted in key or key in wanted)]
    return folded[min(inside, key=lambda key: abs(len(key) - len(wanted)))] if inside else None


def listed(names: Iterable[str], most: int = 12) -> str:
    """`'a', 'b' and 3 more`."""
    quoted = [repr(name) for name in names]
    if len(quoted) > most:
        return f"{', '.join(quoted[:most])} and {len(quoted) - most} more"
    return ", ".join(quoted)


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`, `2 classes`: the noun is regular."""
    ending = "es" if noun.endswith(("s", "x", "ch")) else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"
