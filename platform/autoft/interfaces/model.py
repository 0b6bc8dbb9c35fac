"""Models: ways to learn. A model proposes candidates, owns their search spaces, and fits them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows, Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source, SourceCard
from autoft.interfaces.space import Hyperparameters, Space


@dataclass(frozen=True)
class Limits:
    """What a candidate may cost: bytes of `memory`, `threads` and `gpus` of the machine, the `seconds` that the run has, or None where
    it has no time limit. `flops` is the speed at which the whole machine trains, floating-point operations a second: as much lower where a
    trial is several fits, so that a candidate counts one."""

    memory: int
    threads: int
    gpus: int
    seconds: float | None
    flops: float


@dataclass(frozen=True)
class Candidate:
    """A model with its source. `reason` says why it is, or where `proposed` is false why it is not, tried unasked.

    `flops` estimates one fit of a trial with default hyperparameters, `shared` what of it only the first of them has to do, see `SHARED`,
    `forward` the answer to one row, `memory` the bytes a trial needs; 0 where next to nothing. `place` is that of its source among those
    that were ranked, 0 for the best. `preferred`: on data like this the model is known to do better than others do with the same source,
    so that its first trial comes first within a budget, and it is taken where figures do not tell.
    """

    model: str
    source: Source | None = None
    proposed: bool = True
    reason: str = ""
    flops: float = 0.0
    memory: int = 0
    forward: float = 0.0
    shared: float = 0.0
    place: int | None = None
    preferred: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}:{self.source.name}" if self.source else self.model


@dataclass(frozen=True)
class TrialSpec:
    """One trial: a candidate with hyperparameters, a seed and its share of the machine. `number` is its id; `peak` is what that share can
    do at best, floating-point operations a second, see `Peaks`; 0 where that was not measured."""

    number: int
    candidate: Candidate
    hyperparameters: Hyperparameters
    seed: int
    threads: int = 1
    gpus: float = 0.0
    peak: float = 0.0


@dataclass(frozen=True)
class FitData:
    """What a trial learns from. `rows` has columns named by role, `targets` are those of `Task.targets` for all of them, and `weights`,
    where there are any, how much each row counts; `train` and `validation` are row numbers into it
    (`validation` is empty in a refit, and a sample where the task bounds it, see `Task.problem`); `cache` is a folder shared by the
    trials of a run. `folds`, (train, validation) each, are for `autoft.trial.run_trial`: it fits once a fold, judges by what all folds
    held out, which is `validation` then, and fits `train` last; a model never sees them. `teacher` holds the `logits` that a better model
    gave for the rows of the table, (rows, ...), float32, nan for those it was not asked about; models that are not `Distils` refuse it."""

    problem: Problem
    rows: Table
    targets: npt.NDArray[Any]
    train: Rows
    validation: Rows
    cache: Path
    weights: npt.NDArray[Any] | None = None
    teacher: npt.NDArray[Any] | None = None
    folds: tuple[tuple[Rows, Rows], ...] = ()


Decision: TypeAlias = Literal["go", "stop"]
Save: TypeAlias = Callable[[Path], None]


HORIZON = "horizon"
"""The measure by which a model tells that it has shortened its schedule for want of time: the share of the planned steps it still makes."""

SHARED = "shared_seconds"
"""The measure by which a model tells how many seconds since its last report went into what it left in `FitData.cache` for the other trials
of its candidate: these will not pay for it again."""


class Report(Protocol):
    """How a model tells of its progress and learns when to end."""

    def __call__(self, progress: float, outputs: Arrays, save: Save, *, extra: Arrays | None = None, **measures: float) -> Decision:
        """`progress` in (0, 1] of the trial's own horizon; `outputs` of the validation rows; `save` writes the weights as they are
        now into a folder (called at once or never); `extra` is what `Fitted.extra` would give now; `measures` are further numbers
        for the curve, e.g. train_loss, and `HORIZON` and `SHARED`. Of `flops_per_second`, floating-point operations on real inputs since
        the last report, evaluations and padding left out, the trial makes `utilisation`, its share of the trial's peak."""
        ...

    def stop_requested(self) -> bool:
        """Cheap; ask after every step. True: return as soon as possible, without another evaluation."""
        ...

    def seconds_left(self) -> float | None:
        """Seconds until the trial will be stopped; None when no choice may depend on the clock."""
        ...


@dataclass(frozen=True)
class Part:
    """One graph: a torch.nn.Module that takes `inputs` by name and returns {output name: tensor}, or an onnx.ModelProto. A model of one
    part calls it "model".

    `example` feeds a trace: an array for each input, batch and length of at least 2.
    """

    name: str
    graph: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    example: Arrays


@dataclass(frozen=True)
class Program:
    """What an exporter takes: graphs, the encoder in front of them, and the content of config.json: `model_type`, `id2label`,
    `problem_type` and what else the loaders of other libraries read there. A model leaves `samples` empty; the
    core adds encoded rows that were learned from, a few at a time, for formats that have to see what their numbers are like."""

    parts: tuple[Part, ...]
    encoder: EncoderSpec
    config: Mapping[str, Any]
    samples: tuple[Arrays, ...] = ()


class Fitted(Protocol):
    """A model that has learned."""

    def outputs(self, rows: Table) -> Arrays:
        """`logits` (n, outputs) and whatever else the head gives, in full precision and evaluation mode.

        A model that writes gives `sequences` (n, tokens), ids, and `scores` and `runner_up` (n, tokens), the log-probabilities of each
        and of the second likeliest, zeros behind the end: where these two are equal but for rounding, the proof forgives another choice.
        """
        ...

    def extra(self) -> Arrays:
        """Arrays that belong to the decoder, e.g. the transitions of a CRF."""
        ...

    def save(self, folder: Path) -> None:
        """In the library's own format; weights as safetensors. `Model.load` reads it back."""
        ...

    def program(self) -> Program:
        """What is exported: its graphs give the `outputs` for the arrays that its encoder makes of the rows, which the core proves."""
        ...


@runtime_checkable
class Model(Protocol):
    """The plugin: a way to learn."""

    name: str
    summary: str

    def candidates(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        """Empty when the model does not fit the problem. `rows` is a sample of the inputs."""
        ...

    def wanted(self, problem: Problem, cards: Sequence[SourceCard], limits: Limits) -> list[SourceCard]:
        """Cards worth fetching for this problem when nothing suitable is at hand, best first; empty for a model without sources."""
        ...

    def space(self, candidate: Candidate, problem: Problem, rows: int) -> Space:
        """For `rows` rows to learn from."""
        ...

    def fit(self, spec: TrialSpec, data: FitData, report: Report) -> Fitted:
        """Raises TrialError when learning cannot go on. Seeds every generator it uses from `spec.seed`."""
        ...

    def load(self, folder: Path) -> Fitted:
        """What `Fitted.save` wrote."""
        ...


@dataclass(frozen=True)
class Evidence:
    """What the features of an untrained source tell of the targets: `score` by `measure`, a name for the eye. The greater the better;
    comparable between sources on the same rows of one problem only."""

    measure: str
    score: float


@runtime_checkable
class Ranks(Protocol):
    """What a model may have beside: evidence, before anything is trained, of which source to tune."""

    def evidence(self, candidate: Candidate, data: FitData, *, threads: int, gpus: float, stop: Callable[[], bool]) -> Evidence | None:
        """Of the candidate's source, from the training rows of `data` alone; None where there can be none for such a problem. Raises
        TrialError once `stop`, asked again and again, is true."""
        ...


@runtime_checkable
class Distils(Protocol):
    """What a model may have beside: it learns from the outputs of a teacher, `FitData.teacher`, as well as from the labels. The default and
    the first points of its spaces are tried in turn while there is time."""

    def students(self, problem: Problem, sources: Sequence[Source], limits: Limits, rows: Table) -> list[Candidate]:
        """A candidate a source, as `Model.candidates` gives them; empty where such a problem cannot be learned so."""
        ...

    def shortened(self, model: Path, source: Source, layers: int, folder: Path) -> Source:
        """A source in `folder`, which it makes, of as many of the layers of `model`: a folder that a `Fitted.save` of a candidate of
        `source` wrote, or that of `source` itself. Raises TrialError where its layers cannot be left out, or are no more than that."""
        ...


@runtime_checkable
class Averages(Protocol):
    """What a model may have beside: the mean of weights, which a run takes where it is better than the best single trial."""

    def average(self, folders: Sequence[Path]) -> Fitted | None:
        """A model whose weights are the mean of those in `folders`, two or more that `Fitted.save` wrote in trials of one candidate; None
        where these have no mean that means something: other shapes, another head."""
        ...


@dataclass(frozen=True)
class Trimmed:
    """`fitted` knows `kept` of the `of` tokens that it knew before."""

    fitted: Fitted
    kept: int
    of: int


@runtime_checkable
class TrimsVocabulary(Protocol):
    """What a fitted model may have beside: itself with a smaller vocabulary."""

    def trimmed(self, rows: Table, share: float) -> Trimmed:
        """Without the tokens that neither `rows` (inputs by role) need nor words that have no token of their own, but for `share`, from 0
        to 1, of these: the most frequent ones. Rows all of whose tokens stay get the very same answers. The same rows and share leave the
        same tokens to all models of a source. This one stays as it is. Raises ExportError where the vocabulary cannot be trimmed."""
        ...


@runtime_checkable
class Rescales(Protocol):
    """What a fitted model may have beside: a last layer that takes a scale, so that its folder, its graph and every loader of either
    answer alike."""

    def rescaled(self, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Fitted | None:
        """A model whose `logits` are those of this one times `scale` plus `shift`, (outputs,) each, by its weights. The two may share
        weights, and this one stays as it is. None where the architecture does not allow it."""
        ...


@runtime_checkable
class Peaks(Protocol):
    """What a model may have beside: what this machine can do at best, which the utilisation of its trials is held against."""

    def peak_flops(self, *, threads: int, gpus: float) -> float:
        """Floating-point operations a second of matrix products in the precision that trials learn in, on `threads` threads, or on one
        whole GPU where `gpus` is not 0. Measured in a fraction of a second, in the run's own process, while nothing else of it computes."""
        ...


@runtime_checkable
class Imports(Protocol):
    """What a model may have beside: libraries that its trials take seconds to import."""

    def import_libraries(self) -> None:
        """Import them. Called where trials are to run before there is one, and in the run's own process while that waits; or not at all.
        Whatever it raises is for `fit` to tell."""
        ...
