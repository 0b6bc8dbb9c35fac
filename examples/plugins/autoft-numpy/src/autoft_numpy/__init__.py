"""The plugin: a format that numpy alone runs."""

from __future__ import annotations

from collections.abc import Sequence

import autoft
from autoft.interfaces.exporter import Exporter
from autoft_numpy.exporter import NumpyExporter


@autoft.hookimpl
def autoft_register_exporters() -> Sequence[Exporter]:
    """What the entry point gives to autoft."""
    return [NumpyExporter()]
