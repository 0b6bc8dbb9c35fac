"""The plugin: features, then logistic or ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.model import Candidate, FitData, Limits, Report, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Space
from autoft_plugins.encoders.sparse import SparseEncoding
from autoft_plugins.models.linear.features import learn_encoding, matrix_of
from autoft_plugins.models.linear.fitted import LinearFitted, load_linear
from autoft_plugins.models.linear.labels import learn_labels
from autoft_plugins.models.linear.learned import Learned
from autoft_plugins.models.linear.rows import LABELS, LEARNERS
from autoft_plugins.models.linear.spaces import space_of
from autoft_plugins.models.linear.tags import learn_tags
from autoft_plugins.tasks.entities import TAGS

_INPUTS = (("text",), ("text", "text_pair"))


class Linear:
    """The plugin."""

    name = "linear"
    summary = "n-grams of words and characters, then logistic or ridge regression"

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:  # noqa: ARG002
        """One candidate for classes, labels or a number of a text or two, and for tags of words; else none."""
        if problem.head.kind == TAGS:
            return [Candidate(self.name, reason="a tag a word from the word and its neighbours; needs no source and seconds to learn")]
        if problem.head.kind not in LEARNERS or problem.inputs not in _INPUTS:
            return []
        return [Candidate(self.name, reason="n-grams need no source and seconds to learn")]

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:  # noqa: ARG002
        return []

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:  # noqa: ARG002
        return space_of(problem)

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> LinearFitted:
        """Raises TrialError when the rows to learn from hold nothing to tell apart, or it is stopped before all labels are learned."""
        if data.teacher is not None:
            raise TrialError("linear learns from labels only and cannot follow a teacher", hint="distil into another model")
        problem, rows = data.problem, data.rows.take(data.train)
        encoding = learn_encoding(problem, rows, spec.hyperparameters)
        learned = _learn(encoding, rows, data, spec.hyperparameters, report)
        fitted = LinearFitted(encoding, learned.weight, learned.bias, problem.labels, problem.head.kind)
        report(1.0, fitted.outputs(data.rows.take(data.validation)), fitted.save, iterations=float(learned.iterations))
        return fitted

    def load(self, folder: Path) -> LinearFitted:
        """Raises BundleError when a file is missing or damaged."""
        return load_linear(folder)


def _learn(encoding: SparseEncoding, rows: Table, data: FitData, chosen: dict[str, Any], report: Report) -> Learned:
    matrix, targets = matrix_of(encoding, rows), data.targets[data.train]
    weights = None if data.weights is None else data.weights[data.train]
    head = data.problem.head
    if head.kind == TAGS:
        return learn_tags(matrix, [len(spans) for spans in rows["words"]], targets, weights, chosen, head.outputs)
    if head.kind == LABELS:
        return learn_labels(matrix, targets, weights, chosen, head.outputs, stopped=report.stop_requested)
    return LEARNERS[head.kind](matrix, targets, weights, chosen, head.outputs)
