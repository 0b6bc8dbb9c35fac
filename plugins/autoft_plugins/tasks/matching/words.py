"""What the words of a column's name mean; the words themselves are in vocabulary.toml."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from importlib.resources import files
from typing import Any

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


def parts(name: str) -> tuple[str, ...]:
    """The words and numbers of a name, in small letters without accents: `ReviewText_2` gives review, text, 2."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return tuple(part.lower() for part in _PART.findall(plain))


def _words(listed: str) -> frozenset[str]:
    return frozenset("".join(part for part in parts(word) if not part.isdigit()) for word in listed.split())


_KNOWN: dict[str, Any] = tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8"))

TEXT, ALSO_TEXT = _words(_KNOWN["text"]), _words(_KNOWN["also_text"])
LABEL, ALSO_LABEL, SCORE, LISTS = (_words(_KNOWN[name]) for name in ("label", "also_label", "score", "lists"))
TOPICS = _words(_KNOWN["topics"])
"""Labels that speak of a text by itself, not of how it goes with another."""
NEVER = _words(_KNOWN["never"])
"""What is neither read nor learned."""
ASIDE = _words(_KNOWN["aside"])
"""What is a label only where nothing else is."""
TOKENS, TAGS, SPANS = (_words(_KNOWN[name]) for name in ("tokens", "tags", "spans"))
LANGUAGES = _words(_KNOWN["languages"])
PAIR_LABELS = _words(_KNOWN["pair_labels"])
"""Values of a label that say how two texts relate."""
PAIR_TARGETS = _words(_KNOWN["pair_targets"])
"""Names of such a label."""
PAIRS = tuple((_words(pair["first"]), _words(pair["second"])) for pair in _KNOWN["pairs"])
"""Names of two texts that belong together: one of the first set and one of the second."""
REWRITINGS = tuple((_words(pair["first"]), _words(pair["second"])) for pair in _KNOWN["rewritings"])
"""Names of a text and of the one to be written from it."""

_MARKS = (("1", "2"), ("a", "b"), ("0", "1"), ("left", "right"), ("first", "second"), ("one", "two"), ("x", "y"), ("i", "ii"))


def whole(name: str) -> str:
    """The name without digits, marks and accents, as the sets hold it."""
    return "".join(part for part in parts(name) if not part.isdigit())


def exact(name: str, words: frozenset[str]) -> bool:
    """Whether the whole name, but for digits and marks, is one of these: `label`, `Label_2`."""
    return whole(name) in words


def within(name: str, words: frozenset[str]) -> bool:
    """Whether a part of the name is one of these, or ends with one that is long enough to be no accident."""
    return any(part in words or any(_closing(part, word) for word in words) for part in parts(name))


def _closing(part: str, word: str) -> bool:
    return len(part) > len(word) and part.endswith(word) and (len(word) >= 6 or (len(word) >= 2 and not word.isascii()))


def twins(first: str, second: str) -> bool:
    """Whether two names differ in a mark of order alone: sentence1 and sentence2, text_a and text_b, 句子1 and 句子2."""
    one, two = parts(first), parts(second)
    if len(one) != len(two) or len(one) < 2:
        return False
    different = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
    return len(different) == 1 and different[0] in _MARKS
