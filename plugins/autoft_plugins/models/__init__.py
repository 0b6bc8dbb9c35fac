"""Built-in models: ways to learn."""

from __future__ import annotations

from autoft.interfaces.model import Model
from autoft_plugins.models.contrastive import Contrastive
from autoft_plugins.models.distilled import Distilled
from autoft_plugins.models.frozen import Frozen
from autoft_plugins.models.full import Full
from autoft_plugins.models.linear import Linear

MODELS: list[Model] = [Linear(), Frozen(), Contrastive(), Full(), Distilled()]
