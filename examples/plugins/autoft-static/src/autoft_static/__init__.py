"""The plugin: a model, and the encoder that stands in front of its graph."""

from __future__ import annotations

from collections.abc import Sequence

import autoft
from autoft.interfaces.encoder import Encoder
from autoft.interfaces.model import Model
from autoft_static.encoder import StaticTokens
from autoft_static.model import Static


@autoft.hookimpl
def autoft_register_models() -> Sequence[Model]:
    """Chosen by `--models static:SOURCE`."""
    return [Static()]


@autoft.hookimpl
def autoft_register_encoders() -> Sequence[Encoder]:
    """Of the model's bundles."""
    return [StaticTokens()]
