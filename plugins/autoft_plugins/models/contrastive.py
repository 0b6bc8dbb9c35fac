"""Fine-tuning by comparison, for few rows a class: texts of a class are drawn together, then a linear head is fitted.

The method of Tunstall et al., "Efficient Few-Shot Learning Without Prompts" (SetFit, arXiv 2209.11055), by our own loop, which is faster
and needs no further library: a batch of texts is read once and all its pairs are compared, where the original reads both texts of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Fitted, Limits, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Space
from autoft_plugins.models.classes import class_counts
from autoft_plugins.models.full import source_of
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.proposals import propose, worth_fetching
from autoft_plugins.models.transformer.ranks import FineTunes
from autoft_plugins.models.transformer.spaces import contrastive_epochs, contrastive_space, heads_fitted

FEW = 64
"""Rows to learn from of the median class, up to which comparing them pays."""
_SLOWER = 1.45
"""Times as long as `full` takes to learn from as many tokens, since a batch is read a few rows at a time: of the short texts of banking77
1,750 to 1,990 tokens a second where `full` had 2,750 to 2,810 (two cores)."""
_HEAD = 2.0
"""Forward passes of the training rows that a head takes: it reads the validation rows, too, and reading gets less out of the processors
than learning. Held against what both figures promise, nine trials on banking77 took 0.81 to 1.09 times as long."""
_HEADS = ("single_label_classification",)
_FIXED = {"warmup": 0.1, "weight_decay": 0.01, "head_rate": 1}
"""Not searched. The head is not learned by gradients, and has no rate of its own."""


class Contrastive(FineTunes):
    """One of several classes of one text."""

    name = "contrastive"
    summary = "fine-tuning that draws texts of a class together, with a linear head on top: for few rows a class"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        """None but for one of several classes of one text; proposed, and before others, where the median class has at most `FEW` rows to
        learn from."""
        if not _fits(problem):
            return []
        found = propose(self.name, problem, sources, limits, rows, passes=_passes, heads=_HEADS)
        reason = _refusal(problem)
        if not reason:
            return [replace(c, preferred=True) for c in found]
        return [replace(c, proposed=False, reason=reason) if c.proposed else c for c in found]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        return [] if not _fits(problem) or _refusal(problem) else worth_fetching(problem, cards, limits, heads=_HEADS)

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        return contrastive_space(anatomy(source_of(candidate)).body, problem, rows)

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        import torch

        from autoft_plugins.models.transformer.loading import pretrained
        from autoft_plugins.models.transformer.objectives.contrast import Contrast
        from autoft_plugins.models.transformer.precision import device_for
        from autoft_plugins.models.transformer.training import Trainer

        problem = data.problem
        if not _fits(problem):
            texts = "one text" if len(problem.inputs) == 1 else f"{len(problem.inputs)} texts"
            raise TrialError(f"{self.name} learns one of several classes of one text, not {problem.head.kind} of {texts}")
        if data.teacher is not None:
            raise TrialError(f"{self.name} learns from labels only and cannot follow a teacher", hint="distil into another model")
        torch.set_num_threads(spec.threads)
        spec = replace(spec, hyperparameters={**_FIXED, **spec.hyperparameters})
        source = source_of(spec.candidate)
        objective = Contrast(source, spec, data)
        loaded = pretrained(source, Contrast.auto_class, {}, spec.hyperparameters["dropout"], spec.seed)
        Trainer(spec, data, loaded, objective, device_for(spec.gpus)).run(report)
        return objective.fitted(loaded.model)

    def load(self, folder: Path) -> Fitted:
        from autoft_plugins.models.transformer.linear_head import load_head

        return load_head(folder)


def _fits(problem: Problem) -> bool:
    return problem.inputs == ("text",) and problem.head.kind in _HEADS


def _refusal(problem: Problem) -> str:
    """Why it is not proposed for so many rows; empty where it is. Where no class is counted, the rows are not known to be few."""
    counts = class_counts(problem)
    if not counts:
        return "pays with few rows a class; how many there are is not known"
    typical = median(counts)
    return "" if typical <= FEW else f"pays up to about {FEW} rows a class to learn from; the median class has {typical:g}"


def _passes(rows: int, *_: object) -> tuple[float, float]:
    """A backward pass costs two forward passes; and an evaluation reads the rows for the head."""
    epochs = contrastive_epochs(rows)[1]
    return 3.0 * _SLOWER * epochs + _HEAD * heads_fitted(epochs), 0.0
