"""The deadlines of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from autoft.interfaces.model import Candidate
from autoft.settings import Settings

DEFAULT_BUDGET = 600.0
"""Seconds, where neither --budget nor --trials is given; such a run ends earlier once nothing more is to be gained."""
CONFIRMATION_SHARE = 0.3
"""The part of the budget kept for confirming and refitting."""


@dataclass(frozen=True)
class Clock:
    """The deadlines of a run, on `time.time()`. Without a budget they are None and no choice depends on the clock."""

    started: float
    budget: float | None
    plateau: bool

    @classmethod
    def of(cls, settings: Settings, started: float) -> Clock:
        if settings.budget is None and settings.trials is None:
            return cls(started, DEFAULT_BUDGET, plateau=True)
        return cls(started, settings.budget, plateau=False)

    def left(self) -> float | None:
        return None if self.budget is None else self.started + self.budget - time.time()

    def closing(self, candidates: Sequence[Candidate]) -> float | None:
        """When export, proof, test and report must begin."""
        return None if self.budget is None else self.started + self.budget - max(closing_seconds(c) for c in candidates)

    def searching(self, candidates: Sequence[Candidate]) -> float | None:
        """When the search must end."""
        closing = self.closing(candidates)
        return None if closing is None else closing - CONFIRMATION_SHARE * max(0.0, closing - self.started)


def closing_seconds(candidate: Candidate) -> float:
    """What export, proof, test evaluation and report take, by the size of the source (measured on 2 cores: see docs/benchmarks.md)."""
    return 7.0 + 22.0 * (candidate.source.parameters if candidate.source else 0) / 110e6
