"""An objective: what a model learns by, and how it is asked. The trainer knows nothing else of the task."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from autoft.interfaces.encoder import Arrays, EncoderSpec
from autoft.interfaces.model import FitData, Fitted, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.batches import shuffled
from autoft_plugins.models.transformer.encoding import save_encoder
from autoft_plugins.models.transformer.objectives import HEAD_FILE
from autoft_plugins.models.transformer.objectives.teaching import TEACHER, Teaching

if TYPE_CHECKING:
    from autoft_plugins.models.transformer.inference import Runner

_FEWEST_EVALUATIONS, _MOST_EVALUATIONS = 3, 10

Units = npt.NDArray[np.int64]
"""Numbers of what a model sees at once: rows, or windows of them."""


class Objective(ABC):
    """Made once a trial. A subclass sets in its `__init__`:

    `encoder`, what is served in front of the model; `lengths` (units,), tokens of each unit, int64; `flops` (units,), floating-point
    operations of a forward pass over it, float64, and `layer_flops` (units,), those of one of its layers, where the
    lower ones may be left as they are; `weights` (units,), how much each counts in the mean of a batch's losses, float32; `own`,
    what is learned beside the model, a CRF for instance, else None; `teaching`, what a teacher gave, else None: one that never sets it
    learns from labels only. `states` and `shared_seconds` come later, see `read_below`.
    """

    kind: ClassVar[str]
    """The kind of head, as in `Problem.head`."""
    auto_class: ClassVar[str]
    """The name of a class of transformers, e.g. AutoModelForTokenClassification."""
    reads_first: ClassVar[bool] = False
    """Whether the model is a classifier that reads nothing but its body's first token, see `first_token`."""
    separable: ClassVar[bool] = True
    """Whether the loss of a unit is the same whatever else is in its batch, which may then be learned from in pieces."""

    encoder: EncoderSpec
    lengths: npt.NDArray[np.int64]
    flops: npt.NDArray[np.float64]
    layer_flops: npt.NDArray[np.float64] | None = None
    weights: npt.NDArray[np.float32]
    own: nn.Module | None = None
    states: Tensor | None = None
    shared_seconds: float = 0.0
    teaching: Teaching | None = None

    @abstractmethod
    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None: ...

    @classmethod
    def facts(cls, problem: Problem) -> dict[str, Any]:
        """What config.json has to say of the problem: the labels."""
        labels = problem.labels or tuple(f"LABEL_{i}" for i in range(problem.head.outputs))
        return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}

    def read_below(self, stop: Callable[[], bool]) -> None:  # noqa: ARG002
        """Where lower layers are left as they are and every batch would find the same below them: set `states` (tokens, width), what they
        make of each token of the data, and `shared_seconds` that this took. `inputs` then gives numbers of tokens in place of ids.

        Raises TrialError when told to stop before they are there.
        """
        return

    def refusal(self, model: Any) -> str | None:  # noqa: ARG002
        """Why the loaded model cannot learn so; None where it can."""
        return None

    def prepare(self, model: Any) -> None:  # noqa: ARG002
        """Whatever there is to set in the loaded model before the first step."""
        return

    @abstractmethod
    def epoch(self, generator: np.random.Generator) -> Units:
        """The units of the training rows for one epoch, in any order."""
        ...

    def batches(self, size: int, generator: np.random.Generator) -> list[Units]:
        """The units of one epoch in batches of `size`, as many as that takes: by default of like length, so that little is padded."""
        units = self.epoch(generator)
        return [units[places] for places in shuffled(self.lengths[units], size, generator)]

    @abstractmethod
    def used_ids(self) -> npt.NDArray[np.int64] | None:
        """The token ids of the training and validation rows: the look-up table is cut to them. None leaves it whole, as it has to be
        where the model's output is tied to it."""
        ...

    @abstractmethod
    def inputs(self, units: Units) -> Arrays:
        """What the model takes in training, by name: `input_ids` (units, longest), `attention_mask`, and what else it needs."""
        ...

    @abstractmethod
    def targets(self, units: Units) -> Arrays:
        """What `loss` takes, by name, first axis units."""
        ...

    def forward(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """What `loss` takes, in whatever precision the trial has; first axis units."""
        logits: Tensor = model(**inputs).logits
        return logits

    @abstractmethod
    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The loss a unit, (units,), float32, of `forward`'s values in float32."""
        ...

    def lesson(self, teaching: Teaching, units: Units) -> npt.NDArray[np.float32]:
        """What the teacher gave for these units, of the shape of `forward`'s values; nan for a unit that it was not asked about."""
        return teaching.logits[units]

    def imitation(self, teaching: Teaching, logits: Tensor, lesson: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The loss a unit, (units,), by what the teacher gave. For objectives that set `teaching`."""
        raise NotImplementedError

    def all_targets(self, units: Units) -> Arrays:
        """`targets`, and where there is a teacher what it gave."""
        own = self.targets(units)
        return own if self.teaching is None else {**own, TEACHER: self.lesson(self.teaching, units)}

    def taught(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The loss a unit by the labels, mixed with that by the teacher where there is one that was asked."""
        own = self.loss(logits, targets)
        if self.teaching is None:
            return own
        given = targets[TEACHER]
        known = ~torch.isnan(given.reshape(len(given), -1)).any(1)
        # Not a single nan may come near the logits: what is not chosen has a gradient, too, and 0 times nan is nan.
        soft = self.imitation(self.teaching, logits, torch.nan_to_num(given), targets)
        return torch.where(known, self.teaching.mixed(own, soft), own)

    def evaluations(self, epochs: int) -> int:
        """How often the validation rows are answered in so many epochs."""
        return min(_MOST_EVALUATIONS, max(_FEWEST_EVALUATIONS, epochs))

    def evaluation(self, train: int, validation: int) -> float:
        """What answering so many validation rows takes, in epochs of learning from so many others, as far as can be said before it was
        measured: a forward pass is a third of a step."""
        return validation / (3 * train)

    @abstractmethod
    def outputs(self, model: Any, run: Runner, rows: Units) -> Arrays | None:
        """The outputs of `rows` (row numbers, perhaps none) as `Fitted.outputs` gives them; None once `run` gave None."""
        ...

    def extra(self) -> Arrays:
        """What `Fitted.extra` would give now."""
        return {}

    def save(self, model: Any, folder: Path) -> None:
        """All that `load` needs, in the library's own layout."""
        save_model(model, self.encoder, self.kind, folder)

    @abstractmethod
    def fitted(self, model: Any) -> Fitted:
        """The model after training, on the processor, in evaluation mode."""
        ...

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Fitted:
        """What `save`, or the fitted model's own, wrote."""
        ...


def save_model(model: Any, encoder: EncoderSpec, kind: str, folder: Path) -> None:
    """In the library's own layout, with the tokenizer's files and the kind of head."""
    model.save_pretrained(folder)
    save_encoder(encoder, folder)
    (folder / HEAD_FILE).write_text(json.dumps({"kind": kind}) + "\n", encoding="utf-8")
