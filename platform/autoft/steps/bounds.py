"""The user's limits on what is served: how long one row may take and how large the files may be; which exports keep within them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoft.catalog import Catalog
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.exporter import encoding_before
from autoft.interfaces.problem import Metric
from autoft.interfaces.result import Option
from autoft.runtime.bundle import FormatRecord
from autoft.settings import Settings
from autoft.steps.bundle import Built
from autoft.steps.understand import Understood

FORMATS = ("onnx", "onnx-int8", "onnx-int8-static")
"""What is tried beside the format of the run."""
SMALLEST = "onnx-int8-small"
"""What is tried, too, where the size is limited."""
ROWS, WARM = 200, 20
"""Rows that are timed, and how many are answered before the first of them."""
SECONDS = 5.0
"""After which no further row is timed."""


@dataclass(frozen=True)
class Bounds:
    """Limits: the 95th percentile of the seconds that one row takes with `threads` threads, and the bytes of all that is served."""

    latency: float | None
    size: int | None
    threads: int

    @classmethod
    def of(cls, settings: Settings, threads: int) -> Bounds | None:
        """None where the user gave no limit."""
        if settings.max_latency is None and settings.max_size is None:
            return None
        return cls(settings.max_latency, settings.max_size, threads)

    def times_over(self, seconds: float, size: int) -> float:
        """The worse of the two in multiples of its limit: 1 or less is within."""
        return max([seconds / self.latency if self.latency else 0.0, size / self.size if self.size else 0.0])

    def formats(self, settings: Settings, catalog: Catalog) -> list[str]:
        """The run's own, then what is smaller, as far as there are exporters."""
        names = [*FORMATS, *([SMALLEST] if self.size else [])]
        return list(dict.fromkeys([settings.exporter, *(name for name in names if name in catalog.exporters)]))

    def in_words(self) -> str:
        """As the user gave them."""
        asked = [f"--max-latency {in_ms(self.latency)}"] if self.latency else []
        return " and ".join([*asked, *([f"--max-size {in_mb(self.size)}"] if self.size else [])])


def options(built: Built, row: TrialFinished, value: float, understood: Understood, catalog: Catalog, bounds: Bounds) -> list[Option]:
    """The formats of an export, timed one after the other on rows of the validation part, as long as they are; `value` is the trial's."""
    whole = sum(path.stat().st_size for path in built.folder.rglob("*") if path.is_file())
    shared = whole - sum(one.bytes for one in built.formats.values())
    found = []
    for name, one in built.formats.items():
        seconds = _seconds(built, name, understood, catalog, bounds.threads)
        size = shared + one.bytes
        found.append(
            Option(
                candidate=row.candidate,
                trial=row.trial,
                format=name,
                value=_less_rounding(value, one),
                p95_seconds=float(np.percentile(seconds, 95)),
                p50_seconds=float(np.percentile(seconds, 50)),
                bytes=size,
                times_over=bounds.times_over(float(np.percentile(seconds, 95)), size),
            )
        )
    return found


def _less_rounding(value: float, one: FormatRecord) -> float:
    return value if one.loss is None else value + float(one.loss["after"]) - float(one.loss["before"])


def _seconds(built: Built, name: str, understood: Understood, catalog: Catalog, threads: int) -> list[float]:
    """What rows take one by one, from the text to the outputs."""
    exporter, config = catalog.exporter(name), built.program.encoder.config
    session = exporter.open(built.folder, threads)
    encoding = encoding_before(exporter, catalog.encoder(built.program.encoder.name).open(built.folder, config), config)
    rows = understood.rows.take(np.random.default_rng(understood.problem.seed).choice(understood.validated, ROWS + WARM))
    until = time.perf_counter() + SECONDS
    taken: list[float] = []
    for place in range(len(rows)):
        begun = time.perf_counter()
        encoding.encode(rows.take([place])).answered(session.run)
        taken.append(time.perf_counter() - begun)
        if begun > until and len(taken) > 2 * WARM:
            break
    return taken[WARM:]


def best_within(found: Sequence[Option], metric: Metric) -> Option:
    """The best figure within the limits; where none keeps within them, the one that is nearest. Of equal ones the quicker."""
    within = [one for one in found if one.times_over <= 1]
    if not within:
        return min(found, key=lambda one: one.times_over)
    return max(within, key=lambda one: (_key(one, metric), -one.p95_seconds))


def with_front(found: Sequence[Option], metric: Metric) -> list[Option]:
    """Each with a word on whether none of the others is better in one of figure, time and size and no worse in the rest."""

    def ahead(one: Option, other: Option) -> bool:
        a, b = ((-_key(each, metric), each.p95_seconds, each.bytes) for each in (one, other))
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    return [one.model_copy(update={"front": not any(ahead(other, one) for other in found)}) for one in found]


def _key(one: Option, metric: Metric) -> float:
    return metric.key(float("nan") if one.value is None else one.value)


def limits_in_words(bounds: Bounds, chosen: Option, found: Sequence[Option]) -> str:
    """For the verdict."""
    threads = "1 thread" if bounds.threads == 1 else f"{bounds.threads} threads"
    has = f"{in_ms(chosen.p95_seconds)} (95th percentile of one row, {threads}) and {in_mb(chosen.bytes)}"
    exports = "the one export" if len(found) == 1 else f"{len(found)} exports"
    if chosen.times_over <= 1:
        return f"Of {exports} tried it is the best within {bounds.in_words()}: as {chosen.format} it takes {has}."
    over = 100 * (chosen.times_over - 1)
    nearest = f"this one, as {chosen.format}, is the nearest, {over:.0f} % over: {has}"
    return f"NOTHING of {exports} tried keeps within {bounds.in_words()}: {nearest}."


def in_ms(seconds: float | None) -> str:
    """Milliseconds with their unit."""
    return f"{1000 * (seconds or 0.0):.3g} ms"


def in_mb(size: int | None) -> str:
    """Megabytes with their unit."""
    return f"{(size or 0) / 1e6:.3g} MB"
