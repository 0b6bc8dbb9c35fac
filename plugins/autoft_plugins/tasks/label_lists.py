"""How a file writes several labels a row: lists, lists as JSON or Python prints them, parted strings, columns of 0 and 1."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from autoft.data.columns import as_flag, is_missing
from autoft.data.numerals import decimal_comma
from autoft_plugins.tasks.classes import class_name

SEPARATORS = ("|", ";", ",")

_ITEM = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s'",\[\]]+"""
_PRINTED = re.compile(rf"\[\s*(?:(?:{_ITEM})\s*(?:,\s*(?:{_ITEM})\s*)*)?\]")


def labels_in(value: object, separator: str | None) -> list[str]:
    """The labels of a cell, each once: a list, a string that prints one, a string parted by `separator`, or one label.

    Raises ValueError for what holds no labels, e.g. a list of fractions or of lists.
    """
    listed = list_in(value)
    if listed is None and isinstance(value, str):
        if _bracketed(value):
            raise ValueError('it cannot be read as labels; write ["a", "b"]')
        listed = value.split(separator) if separator else [value]
    try:
        names = [_label(item) for item in ([value] if listed is None else listed)]
    except TypeError as error:
        raise ValueError(str(error)) from None
    return list(dict.fromkeys(name for name in names if name))


def list_in(value: object) -> Sequence[Any] | None:
    """The items of a list, of a tuple, or of a string that prints a list as JSON or Python does; None for anything else."""
    if isinstance(value, list | tuple):
        return value
    if not isinstance(value, str) or not _bracketed(value):
        return None
    text = value.strip()
    try:
        found: list[Any] = json.loads(text)
    except (ValueError, RecursionError):
        return [_unquoted(item) for item in re.findall(_ITEM, text[1:-1])] if _PRINTED.fullmatch(text) else None
    return found


def _bracketed(text: str) -> bool:
    return text.strip()[:1] == "[" and text.strip()[-1:] == "]"


def separator_of(values: Iterable[object]) -> str | None:
    """What parts the labels within the strings: a bar; a semicolon or a comma where the parts plainly are labels, that is, there are not
    more of them than whole strings, and at least half of them stand in several: not in classes like `Food, drink`, nor in `1,5`."""
    wholes = {value.strip() for value in values if isinstance(value, str) and list_in(value) is None} - {""}
    if decimal_comma(wholes):
        return None
    for separator in SEPARATORS:
        parted = [{part.strip() for part in whole.split(separator)} - {""} for whole in wholes]
        if not any(len(parts) > 1 for parts in parted):
            continue
        counts = Counter(part for parts in parted for part in parts)
        if separator == "|" or (len(counts) <= len(wholes) and sum(count > 1 for count in counts.values()) >= len(counts) / 2):
            return separator
    return None


def flag_in(value: object) -> int:
    """0 or 1 of a cell of a column that is a label by itself. Raises ValueError for anything but 0 and 1, yes and no and their like."""
    found = as_flag(value)
    if found is None:
        raise ValueError(f"{value!r} is neither 0 nor 1")
    return found


def ticked(values: Iterable[object]) -> bool:
    """Whether a column that is a label by itself marks the rows that have it, and leaves the others empty."""
    return all(is_missing(value) or as_flag(value) == 1 for value in values)


def _label(item: object) -> str:
    if isinstance(item, bool) or (isinstance(item, float) and not item.is_integer()):
        raise TypeError(f"{item!r} is no label")
    return class_name(item)


def _unquoted(item: str) -> str:
    return re.sub(r"\\(.)", r"\1", item[1:-1]) if item[0] in "'\"" else item
