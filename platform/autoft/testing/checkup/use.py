"""What the models of a plugin learn from, and open its encoders with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.model import FitData
from autoft.interfaces.source import Source
from autoft.testing.checkup.subject import Subject, object_of, table_of


@dataclass(frozen=True)
class Used:
    """What a model of the plugin that has learned opens an encoder with, and the rows that it learned from."""

    model: str
    spec: EncoderSpec
    rows: Table


Uses = Callable[[], dict[str, Used]]
"""By the name of the encoder. A model learns for that, once, when it is asked."""


def what_models_open(subject: Subject, folder: Path) -> dict[str, Used]:
    """By the name of the encoder. A model that fails is told of elsewhere."""
    from autoft.testing import make_source
    from autoft.testing.learning import LIMITS, Told, default_trial

    found: dict[str, Used] = {}
    for given in subject.record.gives:
        if given.kind != "model":
            continue
        space = folder / f"model-{given.name}"
        try:
            model, sources = object_of(subject, "model", given.name), [make_source(space / "tiny-bert")]
            taken = first_taken(subject, model, sources, space)
            if taken is not None:
                data = taken[1]
                candidate = model.candidates(data.problem, sources, LIMITS, data.rows)[0]
                spec = model.fit(default_trial(model, candidate, data), data, Told()).program().encoder
                found.setdefault(spec.name, Used(given.name, spec, data.rows))
        except Exception:
            continue
    return found


def first_taken(subject: Subject, model: Any, sources: Sequence[Source], folder: Path) -> tuple[Table, FitData] | None:
    """The user's data, reviews, or the first tiny table for which the model has a candidate, and what is learned from it."""
    from autoft.testing.learning import LIMITS, best_task, catalog_with, fit_data
    from autoft.testing.samples import TABLES

    catalog, given = catalog_with(subject.loaded.plugin), table_of(subject)
    for table in [given] if given is not None else [make() for make in TABLES.values()]:
        try:
            data = fit_data(best_task(catalog, table), table, folder)
        except DataError:
            continue
        if model.candidates(data.problem, sources, LIMITS, data.rows):
            return table, data
    return None
