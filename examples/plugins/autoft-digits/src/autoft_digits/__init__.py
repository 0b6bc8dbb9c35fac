"""The plugin: a task, an encoder and a model for images."""

from __future__ import annotations

from collections.abc import Sequence

import autoft
from autoft.interfaces.encoder import Encoder
from autoft.interfaces.model import Model
from autoft.interfaces.task import Task
from autoft_digits.images import Pixels
from autoft_digits.task import ImageClassification
from autoft_digits.vit import VisionTransformer


@autoft.hookimpl
def autoft_register_tasks() -> Sequence[Task]:
    """Chosen by `--task image-classification`."""
    return [ImageClassification()]


@autoft.hookimpl
def autoft_register_encoders() -> Sequence[Encoder]:
    """Of the model's bundles."""
    return [Pixels()]


@autoft.hookimpl
def autoft_register_models() -> Sequence[Model]:
    """Chosen by `--models vit`."""
    return [VisionTransformer()]
