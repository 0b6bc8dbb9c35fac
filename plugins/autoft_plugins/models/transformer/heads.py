"""What each kind of head learns by: the class that transformers loads, and the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from autoft.errors import TrialError
from autoft.interfaces.problem import Problem


@dataclass(frozen=True)
class HeadKind:
    """`auto_class` is a name in transformers; `loss(logits, targets)` gives one value a row, shape (rows,)."""

    auto_class: str
    loss: Callable[[Tensor, Tensor], Tensor]
    target_dtype: torch.dtype


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits, targets, reduction="none")


KINDS = {"single_label_classification": HeadKind("AutoModelForSequenceClassification", _cross_entropy, torch.int64)}


def head_kind(problem: Problem) -> HeadKind:
    """Raises TrialError for a kind that is not known."""
    kind = KINDS.get(problem.head.kind)
    if kind is None:
        raise TrialError(f"head {problem.head.kind!r} cannot be fine-tuned", hint=f"known heads: {', '.join(KINDS)}")
    return kind
