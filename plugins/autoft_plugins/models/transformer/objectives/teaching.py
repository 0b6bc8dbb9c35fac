"""Learning from another model's outputs beside the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from autoft.errors import TrialError
from autoft.interfaces.model import FitData, TrialSpec

TEACHER = "teacher"
"""Among the targets of a batch: what the teacher gave."""
TEMPERATURE, SHARE = "teacher_temperature", "teacher_share"
"""Hyperparameters."""


@dataclass(frozen=True)
class Teaching:
    """`logits` (rows, ...) of the teacher, nan for rows that it was not asked about: these are learned from their labels alone. `share` is
    the weight of the teacher's part of the loss, the labels have the rest; probabilities are compared at `temperature`."""

    logits: npt.NDArray[np.float32]
    temperature: float
    share: float

    @classmethod
    def of(cls, spec: TrialSpec, data: FitData) -> Teaching | None:
        """None without a teacher. Raises TrialError where the trial was not made to have one."""
        settings = spec.hyperparameters
        if data.teacher is None:
            return None
        if SHARE not in settings:
            raise TrialError(
                f"{spec.candidate.model} learns from labels only and cannot follow a teacher", hint="distil into another model"
            )
        return cls(np.asarray(data.teacher, np.float32), float(settings.get(TEMPERATURE, 1.0)), float(settings[SHARE]))

    def mixed(self, own: Tensor, soft: Tensor) -> Tensor:
        """The loss a unit of the one by the labels and the one by the teacher, (units,) each."""
        return (1 - self.share) * own + self.share * soft

    def classes(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """The divergence of the softened probabilities of the last axis from the teacher's, times the temperature squared, by which its
        gradients keep the size of those of the labels (Hinton et al., arXiv 1503.02531, section 2): (..., classes) to (...)."""
        ours = functional.log_softmax(logits / self.temperature, -1)
        theirs = functional.log_softmax(teacher / self.temperature, -1)
        return self.temperature**2 * (theirs.exp() * (theirs - ours)).sum(-1)

    def labels(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """The same for labels that are each there or not: (..., labels) to (..., labels)."""
        both = [torch.stack([values, torch.zeros_like(values)], -1) for values in (logits, teacher)]
        return self.classes(*both)
