"""Tasks: kinds of learning. All of a task runs on numpy alone, since decoding happens in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem


@dataclass(frozen=True)
class Match:
    """How well a table fits a task: 0 (hardly) to 1 (certainly), the columns by role, and why, in one line for the user.

    Below 0.4 it is taken only where the user names the task, below 0.6 with a warning; scores of two tasks within 0.1 are asked for.
    """

    score: float
    columns: Mapping[str, tuple[str, ...]]
    reason: str


@dataclass(frozen=True)
class Decoder:
    """What turns outputs into answers beside the graph: JSON `config` and `arrays` (npz)."""

    config: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    def joined(self, arrays: Arrays) -> Decoder:
        """With a model's own arrays (`Fitted.extra`) beside those of the task."""
        return Decoder(self.config, {**arrays, **self.arrays})


@runtime_checkable
class Task(Protocol):
    """The plugin: one kind of learning."""

    name: str
    summary: str

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        """None when the table is of another kind. `given` are the columns the user named by role. Every task is asked about every file, and
        the highest score takes it.

        Raises DataError when the table is of this kind but ambiguous or unusable, with the flags that help.
        """
        ...

    def problem(self, table: Table, match: Match, *, metric: str | None, seed: int) -> Problem:
        """What is to be learned. `extra["remarks"]`, a list of sentences, is said to the user; `extra["validation_rows"]` is the most
        validation rows that a trial is evaluated on, for answers that take long: a sample of them, the same for all trials.

        Raises DataError when the data cannot be learned from (one class, too few rows, ...).
        """
        ...

    def usable(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """Which rows can be learned from, shape (n,): those with an input and a target. The workflow leaves out the others and says so."""
        ...

    def inputs(self, problem: Problem, table: Table) -> Table:
        """The input columns renamed to their roles, values cleaned. Raises DataError where a column is absent."""
        ...

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        """Targets, first axis = rows: codes (n,), a number a label (n, outputs), a code a word (n, words) filled up with -1, texts (n,)
        as objects.

        Raises DataError naming the row of a value that is not understood.
        """
        ...

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """A code a row that every part of a split should hold in equal shares; None when there is none."""
        ...

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        """Outputs for `rows` rows of the best answer that ignores its input: the majority baseline."""
        ...

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:
        """From validation rows that the model did not learn from; any number of them, of any classes."""
        ...

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:
        """The decision a row, first axis = rows, in the form of the targets: what is scored, and what the proof compares where it is
        no floating-point number: an export must change none. `Decoder()` stands for one that was not fitted."""
        ...

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:
        """All metrics of the task by name; holds `problem.metric.name`. Fast, or a `Tallied` task: intervals ask for two thousand."""
        ...

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:
        """One JSON answer a row. The core reads from its keys what it is, whatever the task: `label` with `score` (and `scores`, a
        probability by class) one class; `labels` with `scores` any number of labels; `score` alone a number; `entities`, each with
        `entity_group`, `score`, `word`, `start` and `end`; `text` what was written. These are shown so, have their place in reports, and
        the shape of Hugging Face's clients at `POST /`. Other keys are shown as name=value; answers of these alone have no such shape."""
        ...

    def check_inputs(self, problem: Problem, records: Sequence[Mapping[str, Any]]) -> Table:
        """Rows of a request, as `inputs` would give them. Raises DataError naming the row and field."""
        ...


@runtime_checkable
class DescribesInputs(Protocol):
    """What a task may have beside: what a request may hold for an input. A bundle's schema of a request is else taken from the rows."""

    def input_schemas(self, problem: Problem) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schema of an input by its role, for those inputs that it differs for; `type` and `items` count."""
        ...


@runtime_checkable
class CountsTargets(Protocol):
    """What a task may have beside: what its targets hold, where they are neither a class nor a number a row."""

    def counted(self, problem: Problem, targets: npt.NDArray[Any]) -> tuple[str, dict[str, int]]:
        """In words, and how often each of what they hold is there."""
        ...


@runtime_checkable
class Tallied(Protocol):
    """What a task may have beside: figures that follow from sums over the rows. Rows are then compared once and resampled as a few numbers
    each, however long they are. `score` is `figures` of the sums of `tallies`."""

    def tallies(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """What is counted of each row, shape (n, k)."""
        ...

    def figures(self, problem: Problem, sums: npt.NDArray[np.float64]) -> dict[str, float]:
        """The metrics of any rows from the `sums` (k,) of their tallies."""
        ...


Link: TypeAlias = Literal["softmax", "sigmoid"]
"""What makes probabilities of `logits` (n, outputs): of one class of several, or of each label."""


@runtime_checkable
class Calibrates(Protocol):
    """What a task may have beside: answers with probabilities that its `logits` (n, outputs) alone give, so that a scale and a shift of
    these, folded into the weights, bring them in line with how often an answer is right. Targets are codes (n,) for softmax, 0 and 1
    (n, outputs) for sigmoid. Neither `decide` nor `decode` applies a scale: outputs have it already. `link` is what makes the
    probabilities: "softmax" of one class of several, "sigmoid" of each label."""

    link: Link

    def rescaled(self, decoder: Decoder, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Decoder:
        """One that decides by logits times `scale` (above 0) plus `shift`, (outputs,) each, as `decoder` does by the logits. For softmax
        all scales are equal and shifts 0."""
        ...


@runtime_checkable
class AlsoCalled(Protocol):
    """What a task may have beside: other words for it, which are answered with its name."""

    also: tuple[str, ...]
