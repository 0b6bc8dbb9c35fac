"""The trials that first points are mined from, each in whatever process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from autoft.catalog import Catalog
from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import Candidate, Decision, FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft.interfaces.space import Hyperparameters
from autoft.steps.understand import Understood
from autoft.trial import run_trial
from autoft_plugins.models.transformer.portfolio import placed
from portfolio.points import points, widest
from portfolio.sets import Sample


@dataclass(frozen=True)
class Job:
    """A trial. `points` are the names, with their relative terms, of all points that come to these settings on this set."""

    sample: Sample
    source: Source
    points: dict[str, Hyperparameters]
    hyperparameters: Hyperparameters
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """What a row is known by."""
        asked = {"set": self.sample.name, "sha256": self.sample.sha256, "source": self.source.name, "seed": self.seed}
        return asked | {"points": self.points, "hyperparameters": self.hyperparameters}

    @property
    def name(self) -> str:
        return f"{self.sample.name} {self.source.name} {' = '.join(self.points)}"


class FailedTrialError(Exception):
    """It says why."""


def jobs_of(catalog: Catalog, found: Source, samples: Sequence[Sample], many: int, seed: int) -> Iterator[Job]:
    """Point by point, so that a benchmark that is cut off has seen all sets."""
    model, candidate = catalog.model("full"), Candidate("full", found)
    data = [one.understood(catalog) for one in samples]
    spaces = [model.space(candidate, one.problem, len(one.learnable)) for one in data]
    named = points(widest(spaces), many)
    settings = [{name: placed(terms, space.parameters, space.default) for name, terms in named.items()} for space in spaces]
    for name in named:
        for one, chosen in zip(samples, settings, strict=True):
            alike = [other for other in named if chosen[other] == chosen[name]]
            if alike[0] == name:
                yield Job(one, found, {other: named[other] for other in alike}, chosen[name], seed)


@cache
def _catalog() -> Catalog:
    return Catalog.build()


@cache
def _understood(sample: Sample) -> Understood:
    return sample.understood(_catalog())


def begin() -> None:
    """A process imports what trials need, so that the seconds of its first one do not hold that."""
    from autoft_plugins.models.transformer import loading, training  # noqa: F401


def tried(job: Job) -> dict[str, Any]:
    """One trial, in whatever process. Raises FailedTrialError."""
    data, figures = _understood(job.sample), list[float]()
    metric = data.problem.metric

    def listen(event: TrialReported) -> Decision:
        figures.append(event.metrics[metric.name])
        return "go"

    spec = TrialSpec(1, Candidate("full", job.source), job.hyperparameters, job.seed)
    with tempfile.TemporaryDirectory() as scratch:
        fit = FitData(data.problem, data.rows, data.targets, data.learnable, data.splits.test, Path(scratch))
        outcome = run_trial(spec, fit, _catalog().model("full"), data.task, Path(scratch) / "trial", listen=listen)
    if outcome.status != "done" or outcome.value is None:
        raise FailedTrialError(outcome.reason)
    counts = {"rows": {"learned": len(data.learnable), "judged": len(data.splits.test)}}
    judged = {"metric": metric.name, "greater_is_better": metric.greater_is_better, "best": outcome.value, "last": figures[-1]}
    return {"task": data.problem.task, **counts, **judged, "seconds": outcome.seconds}
