"""Entities written as spans of characters, and the words they cover."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from autoft_plugins.tasks.tags import OUTSIDE, Tag
from autoft_plugins.tasks.words import Span

_STARTS, _ENDS = ("start", "start_offset", "begin"), ("end", "end_offset")
_KINDS = ("label", "entity_group", "entity", "type", "tag", "labels")


class SpanError(ValueError):
    """What is wrong with a span, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Entity:
    """The characters `start` to before `end` of a text."""

    start: int
    end: int
    kind: str


def spans_of(label: Sequence[Any], text: str) -> list[Entity]:
    """The spans of a row, in order: {start, end, label} or [start, end, label]. Raises SpanError when one is malformed, outside of the
    text, without a word, or shares characters with another."""
    found = sorted((_read(item, text) for item in label), key=lambda one: (one.start, one.end))
    for one, other in pairwise(found):
        if other.start < one.end:
            raise SpanError(f"{_named(one)} and {_named(other)} overlap", "keep one of the two: a word has one tag")
    return found


def _read(item: Any, text: str) -> Entity:
    shape = "write {start, end, label}, or [start, end, label]"
    values = [_first(item, keys) for keys in (_STARTS, _ENDS, _KINDS)] if isinstance(item, Mapping) else list(item)
    start, end, kind = values
    if isinstance(kind, list) and len(kind) == 1:
        kind = kind[0]
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpanError(f"the {name} of {item!r} is {value!r}, no whole number", shape)
    if not isinstance(kind, str) or not kind.strip():
        raise SpanError(f"the label of {item!r} is {kind!r}, no name", shape)
    entity = Entity(start, end, kind.strip())
    if not 0 <= start < end <= len(text):
        what = f"{_named(entity)} is outside of the text, which has {len(text)} characters" if start < end else f"{_named(entity)} is empty"
        raise SpanError(what, "start counts characters from 0, and end is the place behind the last one")
    if text[start:end].isspace():
        raise SpanError(f"{_named(entity)} covers blanks only", "mark words")
    return entity


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _named(entity: Entity) -> str:
    return f"the span {entity.start} to {entity.end} ({entity.kind!r})"


def tags_of_spans(words: Sequence[Span], spans: Sequence[Entity]) -> tuple[list[Tag], int]:
    """A tag in BIO for each word, and how many of the spans cut a word and were taken as whole words. Raises SpanError where two spans
    share a word."""
    tags: list[Tag] = [(OUTSIDE, "")] * len(words)
    starts, ends = [start for start, _ in words], [end for _, end in words]
    cut, taken = 0, 0
    for span in spans:
        first, behind = bisect_right(ends, span.start), bisect_left(starts, span.end)
        if first < taken:
            raise SpanError(f"{_named(span)} begins in a word in which another one ends", "let a word belong to one span")
        cut += starts[first] < span.start or ends[behind - 1] > span.end
        for place in range(first, behind):
            tags[place] = ("B" if place == first else "I", span.kind)
        taken = behind
    return tags, cut
