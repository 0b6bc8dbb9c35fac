"""A one-file plugin for `check_tuner`: a model whose every trial fails, so that it shows what a tuner makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import autoft
from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Fitted, Limits, Model, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Choice, Space

REASON = "this model cannot learn"


class Failing:
    """Takes every problem, and learns none."""

    name = "failing"
    summary = "fails in every trial"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:  # noqa: ARG002
        return [Candidate(self.name)]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:  # noqa: ARG002
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:  # noqa: ARG002
        return Space({"kind": Choice(("a", "b"))}, {"kind": "a"})  # so few that a tuner which forgets what it tried repeats itself

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:  # noqa: ARG002
        """Raises TrialError."""
        raise TrialError(REASON)

    def load(self, folder: Path) -> Fitted:
        """Raises TrialError: it never saved anything."""
        raise TrialError(f"{folder} holds no model: {REASON}")


@autoft.hookimpl
def autoft_register_models() -> list[Model]:
    """The model."""
    return [Failing()]
