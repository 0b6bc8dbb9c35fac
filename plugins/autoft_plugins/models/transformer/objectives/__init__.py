"""What `full` learns by, a kind of head each. Light: a kind's module is imported as it is asked for."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from autoft.errors import TrialError
from autoft_plugins.tasks.entities import TAGS

if TYPE_CHECKING:
    from autoft_plugins.models.transformer.objectives.base import Objective

SEQUENCE_HEADS = ("single_label_classification", "multi_label_classification", "regression")
"""One answer a row, of one text or two: `logits` (rows, outputs)."""

SEQ2SEQ = "seq2seq"
"""A text a row."""

HEAD_FILE = "head.json"

OBJECTIVES = {
    "single_label_classification": ("single_label", "SingleLabel"),
    "multi_label_classification": ("multi_label", "MultiLabel"),
    "regression": ("regression", "Regression"),
    TAGS: ("words", "WordTags"),
    SEQ2SEQ: ("seq2seq", "Seq2Seq"),
}
"""Kind of head -> module of this package, class in it."""


def objective_type(kind: str) -> type[Objective]:
    """Raises TrialError for a kind of head that is not known."""
    try:
        module, name = OBJECTIVES[kind]
    except KeyError:
        raise TrialError(f"head {kind!r} cannot be fine-tuned", hint=f"known heads: {', '.join(OBJECTIVES)}") from None
    found: type[Objective] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def saved_kind(folder: Path) -> str:
    """The kind of head of a folder that an objective wrote."""
    kind: str = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))["kind"]
    return kind
