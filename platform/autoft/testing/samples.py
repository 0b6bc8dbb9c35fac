"""Tiny data sets, one of each kind that a task may take. They are the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from autoft.data.table import Table

GOOD = ("great", "lovely", "superb", "fine", "nice")
BAD = ("awful", "broken", "poor", "weak", "dull")
THINGS = ("phone", "case", "sound", "screen", "cable", "lens")
PEOPLE = ("Ada", "Grace", "Alan", "Edsger")
TOPICS = ("price", "sound", "battery")


def reviews(rows: int = 60) -> Table:
    """`text` and `label`, good or bad: a word of each text tells."""
    return _table("reviews", _reviewed(rows))


def ratings(rows: int = 60) -> Table:
    """`text` and `score`, a number from 1 to 5 with a fraction: how many words of praise there are, and how many of blame."""
    found = []
    for generator in _generators(rows):
        good = int(generator.integers(0, 5))
        words = [*generator.choice(GOOD, good), *generator.choice(BAD, 4 - good)]
        text = f"the {generator.choice(THINGS)} is {' and '.join(words)}"
        found.append({"text": text, "score": round(1 + good + generator.uniform(-0.2, 0.2), 2)})
    return _table("ratings", found)


def grades(rows: int = 60) -> Table:
    """`text` and `stars`, whole numbers from 1 to 5: how many words of praise there are, of four."""
    rated = ratings(rows)
    return _table("grades", [{"text": record["text"], "stars": round(record["score"])} for record in rated.records()])


def pairs(rows: int = 60) -> Table:
    """`premise`, `hypothesis` and `label`, same or other: whether both speak of one thing."""
    found = []
    for number, generator in enumerate(_generators(rows)):
        one, other = generator.choice(THINGS, 2, replace=False)
        second = one if number % 2 else other
        texts = f"the {one} is {generator.choice(GOOD)}", f"a {generator.choice(BAD)} {second} came"
        found.append({"premise": texts[0], "hypothesis": texts[1], "label": "same" if number % 2 else "other"})
    return _table("pairs", found)


def tags(rows: int = 60) -> Table:
    """`text` and `labels`, a list of none to three topics: those that the text names."""
    found = []
    for number, generator in enumerate(_generators(rows)):
        named = [topic for place, topic in enumerate(TOPICS) if (number >> place) & 1]
        found.append({"text": f"the {' and the '.join(named) or 'thing'} {generator.choice(BAD)} {number}", "labels": named})
    return _table("tags", found)


def entities(rows: int = 40) -> Table:
    """`tokens` and `tags` (B-PER, O): names of people in a sentence."""
    found = []
    for generator in _generators(rows):
        words = ["yesterday", str(generator.choice(PEOPLE)), "bought", "a", str(generator.choice(THINGS))]
        found.append({"tokens": words, "tags": ["O", "B-PER", "O", "O", "O"]})
    return _table("entities", found)


def numbers(rows: int = 60) -> Table:
    """`width`, `height` and `kind`, flat or tall: which of two numbers is the greater."""
    found = []
    for number, generator in enumerate(_generators(rows)):
        less, more = generator.uniform(0, 1), generator.uniform(1.5, 3)
        width, height = (less, more) if number % 2 else (more, less)
        found.append({"width": round(width, 3), "height": round(height, 3), "kind": "tall" if number % 2 else "flat"})
    return _table("numbers", found)


TABLES: Mapping[str, Callable[[], Table]] = MappingProxyType(
    {"reviews": reviews, "ratings": ratings, "grades": grades, "pairs": pairs, "tags": tags, "entities": entities, "numbers": numbers}
)
"""All of them by name."""


def _reviewed(rows: int) -> list[dict[str, Any]]:
    found = []
    for number, generator in enumerate(_generators(rows)):
        word = generator.choice(GOOD if number % 2 else BAD)
        text = f"the {generator.choice(THINGS)} is {word} and the {generator.choice(THINGS)} came with {number}"
        found.append({"text": text, "label": "good" if number % 2 else "bad"})
    return found


def _generators(rows: int) -> list[np.random.Generator]:
    """One a row, so that the first rows are the same however many there are."""
    return [np.random.default_rng(number) for number in range(rows)]


def _table(name: str, records: list[dict[str, Any]]) -> Table:
    return Table.from_records(records, origin=f"autoft.testing.{name}()")
