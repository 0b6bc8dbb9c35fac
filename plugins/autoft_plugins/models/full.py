"""Fine-tuning of all weights of a pretrained encoder."""

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
from autoft_plugins.models.transformer.proposals import propose, worth_fetching
from autoft_plugins.models.transformer.spaces import full_space


class Full:
    """Any encoder that transformers' AutoModelForSequenceClassification loads, with its own head."""

    name = "full"
    summary = "fine-tuning of all weights of a pretrained encoder"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        return propose(self.name, problem, sources, limits, rows, train=True)

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return worth_fetching(problem, cards, limits)

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        return full_space(anatomy(source_of(candidate)).body, problem, rows)

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        import torch

        from autoft_plugins.models.transformer.encoding import encoder_spec, token_config
        from autoft_plugins.models.transformer.fitted import FittedClassifier
        from autoft_plugins.models.transformer.loading import classifier
        from autoft_plugins.models.transformer.precision import device_for
        from autoft_plugins.models.transformer.tokenization import tokenised
        from autoft_plugins.models.transformer.training import Trainer

        torch.set_num_threads(spec.threads)
        source = source_of(spec.candidate)
        config = token_config(source, anatomy(source).max_length(data.problem.max_length), data.problem.inputs[0])
        tokens = tokenised(source, data.rows, config, data.cache)
        loaded = classifier(source, data.problem, spec.hyperparameters["dropout"], spec.seed)
        encoder = encoder_spec(source, config)
        Trainer(spec, data, loaded, tokens, encoder, device_for(spec.gpus)).run(report)
        return FittedClassifier(loaded.model, encoder)

    def load(self, folder: Path) -> Fitted:
        from autoft_plugins.models.transformer.fitted import load_classifier

        return load_classifier(folder)


def source_of(candidate: Candidate) -> Source:
    """Raises TrialError for a candidate without a source."""
    if candidate.source is None:
        raise TrialError(f"{candidate.name} needs a source", hint="autoft models")
    return candidate.source
