"""Fine-tuning of a small encoder by the answers of a better model, beside the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Fitted, Limits, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Hyperparameters, Integer, LogUniform, Parameter, Space, Uniform
from autoft_plugins.models.full import Full, source_of
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.objectives import OBJECTIVES, SEQ2SEQ
from autoft_plugins.models.transformer.proposals import propose, studying
from autoft_plugins.models.transformer.spaces import full_space

HEADS = tuple(kind for kind in OBJECTIVES if kind != SEQ2SEQ)
"""Those whose logits teach."""


class Distilled(Full):
    """`full`, taught: see `autoft.interfaces.model.Distils`. It proposes nothing by itself, since a run has no teacher until it has a
    winner."""

    name = "distilled"
    summary = "fine-tuning of a small encoder by the answers of the run's winner, too (--distill)"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:  # noqa: ARG002
        return []

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:  # noqa: ARG002
        return []

    def students(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        return propose(self.name, problem, sources, limits, rows, passes=studying, heads=HEADS)

    def shortened(self, model: Path, source: Source, layers: int, folder: Path) -> Source:
        from autoft_plugins.models.transformer.layers import shortened

        return shortened(model, source, layers, folder)

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        """That of `full` with the teacher's temperature and share. The first point trusts labels and teacher alike, the next one hardly
        needs the labels; both have the most epochs, since what a teacher says of a row is not soon learned by heart (Beyer et al., CVPR
        2022, arXiv 2106.05237)."""
        space = full_space(anatomy(source_of(candidate)).body, problem, rows)
        most = space.parameters["epochs"]
        own: dict[str, Parameter] = {"teacher_share": Uniform(0.1, 1.0)}
        gentle: Hyperparameters = {"teacher_share": 0.5, "epochs": most.high if isinstance(most, Integer) else space.default["epochs"]}
        strict: Hyperparameters = {"teacher_share": 0.9}
        if problem.head.kind != "regression":  # numbers have no temperature
            own["teacher_temperature"] = LogUniform(1.0, 8.0)
            gentle["teacher_temperature"], strict["teacher_temperature"] = 2.0, 4.0
        dropped = {"crf"}  # it learns from tags only
        parameters = {name: value for name, value in space.parameters.items() if name not in dropped} | own
        default = {name: value for name, value in space.default.items() if name not in dropped} | gentle
        return Space(parameters, default, (default | strict,))

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        if data.teacher is None:
            raise TrialError(f"{self.name} has no teacher", hint="autoft run DATA --distill")
        return super().fit(spec, data, report)
