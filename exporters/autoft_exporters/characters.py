"""What a normaliser and the splitting into words make of each character, as tables that a graph can hold."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARKER, MASKED = 0xE000, 0xF8FF
"""Characters of nobody's, which stand for special tokens inside the graph: `MARKER` and those behind it. `MASKED` is what such a character
of the user's own becomes, to be removed with the rest."""
_CHUNK = 4096
_BETWEEN = "x|x"
_PUNCTUATED = 0x20000
"""Behind it, in the planes from the third on, are letters of Chinese and nothing that splits words."""
_LETTERS = ("L", "Cn", "Co", "Cs")
"""Categories of characters that no splitter of words sets apart by themselves but for those of Chinese, which the normaliser does."""


@dataclass(frozen=True)
class Characters:
    """`removed`, `blanks` (become one blank) and `alone` (words of their own) are regular expressions of one character; `changed` is what
    other characters become."""

    removed: str
    blanks: str
    alone: str
    changed: tuple[tuple[str, str], ...]


def characters(tokenizer: Tokenizer) -> Characters | None:
    """Of every character of Unicode; None where the normaliser keeps the characters that stand for special tokens."""
    return _characters(repr(tokenizer.normalizer) + repr(tokenizer.pre_tokenizer), _Parts(tokenizer.normalizer, tokenizer.pre_tokenizer))


class _Parts:
    """All are equal: what tells them apart is the text beside them in the cache."""

    def __init__(self, normalizer: Any, splitter: Any) -> None:
        self.normalize: Callable[[str], str] = normalizer.normalize_str
        self.split: Callable[[str], list[tuple[str, tuple[int, int]]]] = splitter.pre_tokenize_str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Parts)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)
def _characters(_: str, parts: _Parts) -> Characters | None:
    made = _normalized(parts)
    own = range(MARKER, MASKED)
    if any(made.get(chr(code)) != "" for code in (*own, MASKED)):
        return None
    padded = {one for one, text in made.items() if text.strip() == one}
    asked = [one for one in map(chr, _codes(_PUNCTUATED)) if one not in made and not unicodedata.category(one).startswith(_LETTERS)]
    asked += sorted({letter for text in made.values() for letter in text.strip()}.difference(asked, padded))
    split = {piece for piece, _ in parts.split(" ".join(f"x{one}x" for one in asked)) if piece != "x"}
    changed = {one: text.strip() for one, text in made.items() if text.strip() not in ("", one)}
    return Characters(
        removed=_class(ord(one) for one, text in made.items() if not text and ord(one) not in own),
        blanks=_class(ord(one) for one, text in made.items() if text and not text.strip()),
        alone=_class([*map(ord, padded), *map(ord, split.intersection(asked)), *own]),
        changed=tuple(sorted(changed.items())),
    )


def _codes(end: int) -> list[int]:
    """Of all characters up to there but halves of surrogate pairs."""
    return [code for code in range(end) if not 0xD800 <= code <= 0xDFFF]


def _normalized(parts: _Parts) -> dict[str, str]:
    """What becomes of those characters that do not stay as they are."""
    made: dict[str, str] = {}
    codes = _codes(sys.maxunicode + 1)
    for start in range(0, len(codes), _CHUNK):
        some = [chr(code) for code in codes[start : start + _CHUNK]]
        before = _BETWEEN.join(some)
        after = parts.normalize(before)
        if after != before:
            made.update((one, text) for one, text in zip(some, after.split(_BETWEEN), strict=True) if one != text)
    return made


def _class(codes: Iterable[int]) -> str:
    """A class of a regular expression, of ranges."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges) + "]"
