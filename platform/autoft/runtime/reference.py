"""How answers and inputs were distributed when the bundle was made: what a server holds its traffic against. A part of autoft.json."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from pydantic import Field

from autoft.interfaces.encoder import Encoded
from autoft.interfaces.problem import Frozen
from autoft.runtime.schemas import AnswerKind

OTHER, NONE = "(other)", "(none)"
"""Names that were rare or unknown; a row without any."""
RARE = 0.005
"""Names with a smaller share count as `OTHER`: of a thousand rows they would have fewer than five."""
MOST_BINS, ROWS_A_BIN = 10, 20

Values: TypeAlias = dict[str, list[Any]]
"""By quantity: texts of a quantity that has names, numbers of one that is measured."""


class Histogram(Frozen):
    """Counts of names, or of numbers between edges."""

    names: tuple[str, ...] = Field(default=(), description="one a count; empty for numbers")
    edges: tuple[float, ...] = Field(default=(), description="ascending; count k is of numbers up to edge k, the last one of all above")
    counts: tuple[int, ...]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def bins(self, values: Sequence[Any]) -> list[int]:
        """The bin of each value."""
        if self.names:
            other = self._places[OTHER]
            return [self._places.get(value, other) for value in values]
        return [bisect.bisect_left(self.edges, value) for value in values]


class Reference(Frozen):
    """Of one part of the data."""

    part: str = Field(description="the part whose rows were answered by the bundle; it never learned from them")
    rows: int = Field(ge=1)
    quantities: dict[str, Histogram] = Field(
        description="label, confidence (a probability), score, written (characters), length (in the encoder's units), unknown (their share)"
    )

    def without(self, *names: str) -> Reference:
        """The same but for these quantities."""
        return self.model_copy(update={"quantities": {name: one for name, one in self.quantities.items() if name not in names}})


def reference_of(part: str, rows: int, values: Mapping[str, Sequence[Any]]) -> Reference | None:
    """From all values of a part of `rows` rows; None where there are none."""
    kept = {name: [one for one in found if isinstance(one, str) or math.isfinite(one)] for name, found in values.items()}
    quantities = {name: _named(found) if isinstance(found[0], str) else _measured(found) for name, found in kept.items() if found}
    return Reference(part=part, rows=rows, quantities=quantities) if quantities else None


def _named(values: Sequence[str]) -> Histogram:
    counts = Counter(values)
    common = sorted(name for name, count in counts.items() if count >= RARE * len(values) and name != OTHER)
    known = [counts[name] for name in common]
    return Histogram(names=(*common, OTHER), counts=(*known, len(values) - sum(known)))


def _measured(values: Sequence[float]) -> Histogram:
    """Bins of about as many values each."""
    ordered = sorted(values)
    bins = max(2, min(MOST_BINS, len(values) // ROWS_A_BIN))
    edges = tuple(sorted({float(ordered[len(ordered) * k // bins - 1]) for k in range(1, bins) if len(ordered) * k // bins}))
    histogram = Histogram(edges=edges or (float(ordered[-1]),), counts=())
    counts = Counter(histogram.bins(values))
    return histogram.model_copy(update={"counts": tuple(counts[place] for place in range(len(histogram.edges) + 1))})


def answer_values(answers: Sequence[Mapping[str, Any]], kind: AnswerKind | None) -> Values:
    """What answers tell: a label (each of several, each entity's kind) and how sure, a number, or how long a text is."""
    if kind == "classes":
        return {"label": [str(one["label"]) for one in answers], "confidence": [float(one["score"]) for one in answers]}
    if kind == "labels":
        labels = [label for one in answers for label in one["labels"] or [NONE]]
        return {"label": labels, "confidence": [max(map(float, one["scores"].values())) for one in answers if one.get("scores")]}
    if kind == "entities":
        groups = [group for one in answers for group in [str(entity["entity_group"]) for entity in one["entities"]] or [NONE]]
        return {"label": groups, "confidence": [float(entity["score"]) for one in answers for entity in one["entities"]]}
    if kind == "score":
        return {"score": [float(one["score"]) for one in answers]}
    return {"written": [float(len(one["text"])) for one in answers]} if kind == "text" else {}


def input_values(encoded: Encoded) -> Values:
    """What a batch tells of its rows: how many units each has, and the share of unknown ones where the encoder counts them."""
    lengths = [float(length) for length in encoded.lengths.tolist()]
    if encoded.unknown is None:
        return {"length": lengths}
    shares = [min(1.0, unknown / max(1.0, length)) for unknown, length in zip(encoded.unknown.tolist(), lengths, strict=True)]
    return {"length": lengths, "unknown": shares}


def gathered(pieces: Sequence[Mapping[str, Sequence[Any]]]) -> Values:
    """All values of several pieces."""
    found: Values = {}
    for piece in pieces:
        for name, values in piece.items():
            found.setdefault(name, []).extend(values)
    return found
