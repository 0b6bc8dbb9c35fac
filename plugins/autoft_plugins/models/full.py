"""Fine-tuning of a pretrained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Fitted, Limits, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Space
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.objectives import OBJECTIVES
from autoft_plugins.models.transformer.proposals import fine_tuning, propose, worth_fetching
from autoft_plugins.models.transformer.ranks import FineTunes
from autoft_plugins.models.transformer.spaces import full_space


class Full(FineTunes):
    """Any pretrained model that transformers loads with the head the problem asks for."""

    name = "full"
    summary = "fine-tuning of a pretrained encoder"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        return propose(self.name, problem, sources, limits, rows, passes=fine_tuning, heads=OBJECTIVES)

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return worth_fetching(problem, cards, limits, heads=OBJECTIVES)

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        shape = anatomy(source_of(candidate))
        return full_space(shape.body, problem, rows, freezes=shape.freezes)

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        import torch

        from autoft_plugins.models.transformer.loading import pretrained
        from autoft_plugins.models.transformer.objectives import objective_type
        from autoft_plugins.models.transformer.precision import device_for
        from autoft_plugins.models.transformer.training import Trainer

        torch.set_num_threads(spec.threads)
        source, kind = source_of(spec.candidate), objective_type(data.problem.head.kind)
        objective = kind(source, spec, data)
        objective.read_below(report.stop_requested)
        loaded = pretrained(source, kind.auto_class, kind.facts(data.problem), spec.hyperparameters["dropout"], spec.seed)
        Trainer(spec, data, loaded, objective, device_for(spec.gpus)).run(report)
        return objective.fitted(loaded.model)

    def load(self, folder: Path) -> Fitted:
        from autoft_plugins.models.transformer.objectives import objective_type, saved_kind

        return objective_type(saved_kind(folder)).load(folder)

    def average(self, folders: Sequence[Path]) -> Fitted | None:
        """The mean of the weights of fine-tuned models, see `autoft.interfaces.model.Averages`."""
        from autoft_plugins.models.transformer.averaging import average

        return average(folders)


def source_of(candidate: Candidate) -> Source:
    """Raises TrialError for a candidate without a source."""
    if candidate.source is None:
        raise TrialError(f"{candidate.name} needs a source", hint="autoft models")
    return candidate.source
