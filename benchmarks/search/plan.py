"""What is measured, in which order: seed by seed, so that a benchmark that is cut off has seen all sets; peers before autoft."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.sets import FEW, SETS
from search.systems import FREE, Job

SOURCE, LARGE_SOURCE = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
FEW_SHOT = tuple(f"{name}-{FEW}" for name in ("emotion", "banking77"))
PEER_STEPS = "100 steps"
"""Of SetFit on whole sets, as in peers.csv: its default would go through all pairs, which are millions."""

FEW_STEPS = "default, at most 500 steps"
"""Of SetFit on few rows. The default is 48 steps on emotion and 23,408, hours, on banking77."""

LIKE_SETFIT = "SetFit's seconds"
"""In place of a budget: as long as SetFit took on the same rows, but a minute at least."""

LEAST_SECONDS = 60.0
PARTS = ("one-source", "free-choice", "hundred-seconds", "few-shot", "free-choice-peers")
USUAL = PARTS[:4]
"""What is measured unasked."""

SEEDS = {"one-source": 3, "free-choice": 3, "hundred-seconds": 3, "few-shot": 5, "free-choice-peers": 3}
MORE_SEEDS = {("free-choice", "product_reviews"): 5}


@dataclass(frozen=True)
class Plan:
    """`data` and `seeds` narrow or widen what the parts would do; `budget` in seconds."""

    parts: Sequence[str]
    data: Sequence[str]
    seeds: int | None
    budget: float

    def jobs(self) -> Iterator[Job]:
        for seed in range(max(self._seeds(part, name) for part in self.parts for name in _sets(part))):
            for part in self.parts:
                for name in _sets(part):
                    if seed < self._seeds(part, name) and (not self.data or name in self.data):
                        yield from self._of(part, name, seed)

    def _seeds(self, part: str, name: str) -> int:
        return self.seeds or MORE_SEEDS.get((part, name), SEEDS[part])

    def _of(self, part: str, name: str, seed: int) -> Iterator[Job]:
        budget = f"{self.budget:g} s"
        match part:
            case "one-source" | "free-choice-peers":
                source = SOURCE if part == "one-source" else LARGE_SOURCE
                yield Job(name, "tutorial", source, budget, seed)
                yield Job(name, "setfit", source, PEER_STEPS, seed)
                if part == "one-source":
                    yield Job(name, "autoft", source, budget, seed)
            case "free-choice":
                yield Job(name, "autoft", FREE, budget, seed)
            case "hundred-seconds":
                yield Job(name, "autoft", SOURCE, "100 s", seed)
            case "few-shot":
                yield Job(name, "setfit", SOURCE, FEW_STEPS, seed)
                yield Job(name, "autoft", SOURCE, LIKE_SETFIT, seed)


def _sets(part: str) -> tuple[str, ...]:
    return FEW_SHOT if part == "few-shot" else tuple(SETS)


def like_setfit(wall: float) -> str:
    """The budget that `LIKE_SETFIT` stands for, given SetFit's seconds."""
    return f"{max(LEAST_SECONDS, math.ceil(wall)):g} s"
