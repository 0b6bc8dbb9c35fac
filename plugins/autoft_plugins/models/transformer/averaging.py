"""The mean of the weights of several fine-tuned models of one source (Wortsman et al., "Model soups", ICML 2022)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoft.interfaces.model import Fitted
from autoft.sources.cache import tensors, weight_files
from autoft_plugins.encoders.tokens import TOKENIZER_FILE
from autoft_plugins.models.transformer.encoding import ENCODER_FILE
from autoft_plugins.models.transformer.fitted import PRIVATE
from autoft_plugins.models.transformer.fitted_words import CRF_FILE, FittedTagger
from autoft_plugins.models.transformer.objectives import objective_type, saved_kind


def average(folders: Sequence[Path]) -> Fitted | None:
    """The model whose every weight is the mean, in float32, of that of the models in `folders`, which `Fitted.save` wrote.

    A scale of the targets is folded into the last linear layer by then: the mean of layers that give the user's units gives them too. The
    transitions of a CRF are added to what the last layer gives, and averaged with it. None where the models differ in anything but their
    weights and how much was dropped out in training.
    """
    first = _nature(folders[0])
    if any(_nature(folder) != first for folder in folders[1:]):
        return None
    load = objective_type(saved_kind(folders[0])).load
    fitted: Any = load(folders[0])
    extras = [fitted.extra()]
    for number, folder in enumerate(folders[1:], start=2):
        other: Any = load(folder)  # one more at a time, and by the library: what it writes may have other names than its parameters
        _towards(fitted.model, other.model, 1 / number)
        extras.append(other.extra())
    if isinstance(fitted, FittedTagger):
        return FittedTagger(fitted.model, fitted.encoder, {name: np.mean([one[name] for one in extras], axis=0) for name in extras[0]})
    averaged: Fitted = fitted
    return averaged


def _nature(folder: Path) -> tuple[object, ...]:
    """All that has to be the same: the head, the architecture, the encoder, the name, type and shape of each tensor."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    facts = {name: value for name, value in config.items() if name not in PRIVATE and "dropout" not in name}
    files = [(folder / name).read_bytes() for name in (ENCODER_FILE, TOKENIZER_FILE)]
    crf = folder / CRF_FILE
    shapes = [tensors(path) for path in (*weight_files(folder), *([crf] if crf.is_file() else []))]
    return saved_kind(folder), facts, files, shapes


def _towards(model: Any, other: Any, share: float) -> None:
    """Move each parameter and buffer of `model` by `share` of the way to that of `other`; tied ones are one."""
    with torch.no_grad():
        for kind in ("named_parameters", "named_buffers"):
            theirs = dict(getattr(other, kind)())
            for name, value in getattr(model, kind)():
                if value.is_floating_point():
                    value.lerp_(theirs[name], share)
