"""The built-in plugins. They come through the same entry points as anybody else's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoft.hookspecs import hookimpl

if TYPE_CHECKING:
    from autoft.interfaces.encoder import Encoder
    from autoft.interfaces.model import Model
    from autoft.interfaces.reader import Reader
    from autoft.interfaces.source import SourceCard
    from autoft.interfaces.task import Task
    from autoft.interfaces.tracker import Tracker


@hookimpl
def autoft_register_tasks() -> Sequence[Task]:
    """The kinds of learning."""
    from autoft_plugins.tasks import TASKS

    return TASKS


@hookimpl
def autoft_register_models() -> Sequence[Model]:
    """The ways to learn."""
    from autoft_plugins.models import MODELS

    return MODELS


@hookimpl
def autoft_register_encoders() -> Sequence[Encoder]:
    """The ways from rows to arrays."""
    from autoft_plugins.encoders import ENCODERS

    return ENCODERS


@hookimpl
def autoft_register_readers() -> Sequence[Reader]:
    """The file formats, in the order in which they are asked."""
    from autoft_plugins.readers import READERS

    return READERS


@hookimpl
def autoft_register_sources() -> Sequence[SourceCard]:
    """The known pretrained weights."""
    from autoft_plugins.sources import CARDS

    return CARDS


@hookimpl
def autoft_register_trackers() -> Sequence[Tracker]:
    """Where a run's events can be copied to."""
    from autoft_plugins.trackers import TRACKERS

    return TRACKERS
