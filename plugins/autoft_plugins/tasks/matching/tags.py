"""Whether a column holds tags of words."""

from __future__ import annotations

import re

from autoft.data.columns import Column, as_list
from autoft_plugins.tasks.matching.view import View

_TAG = re.compile(r"O|[BIESLUM][-_]\S+")


def units(cell: object) -> list[str]:
    """The items of a list, or the words of a string."""
    found = as_list(cell)
    return [str(item) for item in found] if found is not None else str(cell).split()


def bio(view: View, column: Column) -> bool:
    """Whether nearly all values are tags such as B-PER and O, some of them more than O."""
    found = [unit for cell in view.present(column.name, 200) for unit in units(cell)]
    tags = [unit for unit in found if _TAG.fullmatch(unit)]
    return len(tags) >= 0.95 * max(1, len(found)) and any(tag != "O" for tag in tags)


def tagged(view: View, column: Column) -> bool:
    """Whether its strings are such tags, several a row."""
    return column.strings and column.kind in ("text", "class") and column.mean_words >= 2 and bio(view, column)
