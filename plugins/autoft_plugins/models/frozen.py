"""A linear head on the mean-pooled features of a pretrained encoder that is not trained; two texts are read apart and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import SHARED, Candidate, FitData, Fitted, Limits, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Space
from autoft_plugins.encoders.token_pairs import TokenPairEncoder
from autoft_plugins.encoders.tokens import TokenEncoder
from autoft_plugins.models.full import source_of
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.objectives import SEQUENCE_HEADS
from autoft_plugins.models.transformer.proposals import fits, propose, worth_fetching
from autoft_plugins.models.transformer.ranks import RanksByFeatures
from autoft_plugins.models.transformer.spaces import frozen_space


class Frozen(RanksByFeatures):
    """Features are computed once a source and run; a trial then costs seconds."""

    name = "frozen"
    summary = "a linear head on the fixed features of a pretrained encoder"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        return propose(self.name, problem, sources, limits, rows, passes=None)

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return worth_fetching(problem, cards, limits)

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:  # noqa: ARG002
        return frozen_space(problem)

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        import torch

        from autoft_plugins.models.transformer.bodies import StoredBody
        from autoft_plugins.models.transformer.encoding import encoder_spec, token_config
        from autoft_plugins.models.transformer.feature_cache import features_of
        from autoft_plugins.models.transformer.linear_head import FittedHead, fit_head

        kind, inputs = data.problem.head.kind, data.problem.inputs
        if not fits(data.problem, SEQUENCE_HEADS):
            raise TrialError(f"one vector a text gives {' or '.join(SEQUENCE_HEADS)}, not {kind}")
        if data.teacher is not None:
            raise TrialError(f"{self.name} learns from labels only and cannot follow a teacher", hint="distil into another model")
        torch.set_num_threads(spec.threads)
        source = source_of(spec.candidate)
        config = token_config(source, anatomy(source).max_length(data.problem.max_length), inputs)
        begun = monotonic()
        features = features_of(source, data, config, spec.gpus, report.stop_requested)
        shared = monotonic() - begun
        head = fit_head(features[data.train], data, spec)
        encoder = encoder_spec(source, config, (TokenPairEncoder if len(inputs) == 2 else TokenEncoder).name)
        fitted = FittedHead(StoredBody(source.folder), head, encoder, kind, data.problem.labels)
        logits = head.logits(features[data.validation])
        report(1.0, {"logits": logits}, fitted.save, extra={}, **{SHARED: shared})
        return fitted

    def load(self, folder: Path) -> Fitted:
        from autoft_plugins.models.transformer.linear_head import load_head

        return load_head(folder)
