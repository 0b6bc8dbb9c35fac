"""Where the words of a text stand, and texts made of words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""From a character to the one behind the last, counted in the text."""

_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IS_CJK = re.compile(f"[{_CJK}]")


def words_in(text: str) -> tuple[Span, ...]:
    """Runs of letters, digits and the marks on them. Every other character that is no blank is a word by itself, as is every Chinese or
    Japanese one."""
    return tuple(match.span() for match in _pattern().finditer(text))


@cache
def _pattern() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(f"(?:(?![{_CJK}])[\\w{marks}])+|\\S")


def parted_by_blanks(text: str) -> tuple[Span, ...]:
    """Whatever stands between blanks."""
    return tuple(match.span() for match in re.finditer(r"\S+", text))


def joined(words: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """One text, and where each word stands in it: a blank between two words, none between two Chinese or Japanese ones."""
    parts: list[str] = []
    spans: list[Span] = []
    at, before = 0, ""
    for word in words:
        if spans and not (before and word and _IS_CJK.match(before) and _IS_CJK.match(word)):
            parts.append(" ")
            at += 1
        parts.append(word)
        spans.append((at, at + len(word)))
        at += len(word)
        before = word[-1:]
    return "".join(parts), tuple(spans)
