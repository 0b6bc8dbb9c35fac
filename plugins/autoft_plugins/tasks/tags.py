"""Tags of words: the schemes they are written in, and what they become here, which is BIO.

BIO: B-X begins an entity, I-X goes on, O is outside (Ramshaw & Marcus 1995, in the form of Tjong Kim Sang & Veenstra 1999). In its first
form (IOB1) an entity begins with I-X, and B-X only parts two of a kind. BIOES (BILOU, BMES) also marks the last word and entities of one
word. IO has the kind alone, so that neighbours of a kind become one entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from autoft.data.names import listed

OUTSIDE = "O"
UNNAMED = "ENTITY"
"""The kind of entities whose tags are the letters alone."""

Tag: TypeAlias = tuple[str, str]
"""O, B, I, E (last word) or S (only word), and the kind of the entity."""

_PREFIXED = re.compile(r"([BIELUMSW])[-_](.+)", re.DOTALL)
_MEANING = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_SCHEMES = {"IO": "I", "BIO": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEW": "BMEW"}
_CLOSED = ("BIOES", "BILOU", "BMES", "BMEW")


class TagError(ValueError):
    """What is wrong with a set of tags; `tag` is one of those at fault, where one is."""

    def __init__(self, message: str, tag: str | None = None) -> None:
        super().__init__(message)
        self.tag = tag


def scheme_of(tags: Iterable[str]) -> str:
    """The scheme of all distinct `tags` of a column: IO, BIO, BIOES, BILOU, BMES or BMEW. Raises TagError for a mixture."""
    inside = sorted(set(tags) - {OUTSIDE})
    if all(tag in _MEANING for tag in inside) and "B" in inside:
        return _scheme({tag: tag for tag in inside})
    prefixed = {tag: match[1] for tag in inside if (match := _PREFIXED.fullmatch(tag))}
    if not prefixed:
        return "IO"
    plain = [tag for tag in inside if tag not in prefixed]
    if plain:
        raise TagError(f"{plain[0]!r} has no prefix where others have one, such as {next(iter(prefixed))!r}", plain[0])
    return _scheme(prefixed)


def _scheme(letters: Mapping[str, str]) -> str:
    found = set(letters.values())
    for name, known in _SCHEMES.items():
        if found <= set(known):
            return name
    first = next(tag for tag, letter in letters.items() if letter not in "BI")
    other = next((tag for tag, letter in letters.items() if letter not in "BI" and not _together(letter, letters[first])), first)
    raise TagError(f"the prefixes {listed(sorted(found))} are of no one scheme (BIO, BIOES, BILOU, BMES, IO)", other)


def _together(one: str, other: str) -> bool:
    return any(one in known and other in known for known in _SCHEMES.values())


def parsed(tag: str, scheme: str) -> Tag:
    """`B-PER` -> (B, PER). Raises TagError for a tag that is not of the scheme."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _PREFIXED.fullmatch(tag)
    letters = _SCHEMES["BIO" if scheme == "IOB1" else scheme]
    if match and match[1] in letters:
        return _MEANING[match[1]], match[2]
    if scheme == "IO" and tag and not match:
        return "I", tag
    if tag in letters:
        return _MEANING[tag], UNNAMED
    raise TagError(f"{tag!r} is no tag of the scheme {scheme}, in which the others are written", tag)


def is_iob1(rows: Iterable[Sequence[Tag]]) -> bool:
    """Whether entities begin with I, and B only parts two neighbours of a kind."""
    orphans = False
    for row in rows:
        before: Tag = (OUTSIDE, "")
        for letter, kind in row:
            follows = before[0] != OUTSIDE and before[1] == kind
            if letter == "B" and not follows:
                return False
            orphans = orphans or (letter == "I" and not follows)
            before = (letter, kind)
    return orphans


def as_bio(row: Sequence[Tag], scheme: str) -> tuple[list[Tag], list[int]]:
    """The row in B, I and O, and the places of words whose tag cannot stand there: what goes on without a beginning is taken as one,
    as conlleval does, and what is begun and not ended as ended."""
    made: list[Tag] = []
    faults: list[int] = []
    strict, closed = scheme not in ("IO", "IOB1"), scheme in _CLOSED
    going: str | None = None
    for place, (letter, kind) in enumerate(row):
        goes_on = letter in "IE" and going == kind
        if closed and going is not None and not goes_on:
            faults.append(place - 1)
        if letter in "IE" and not goes_on and strict:
            faults.append(place)
        made.append((letter, kind) if letter == OUTSIDE else ("I" if goes_on else "B", kind))
        going = kind if letter in "BI" else None
    if closed and going is not None:
        faults.append(len(row) - 1)
    return made, faults


def ids_are_bio(rows: Iterable[Sequence[int]]) -> bool:
    """Whether ids without names are numbered O, B-1, I-1, B-2, I-2, ...: every even id then follows itself or the odd one before it."""
    seen = False
    for row in rows:
        before = 0
        for number in row:
            if number and number % 2 == 0:
                if before not in (number, number - 1):
                    return False
                seen = True
            before = number
    return seen


def id_name(number: int, bio: bool) -> str:
    """A tag for an id without a name."""
    if number == 0:
        return OUTSIDE
    return f"{'I' if number % 2 == 0 else 'B'}-LABEL_{(number + 1) // 2}" if bio else f"I-LABEL_{number}"
