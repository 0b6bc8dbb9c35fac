"""What is learned of a model by watching it: batches and tokens, drift, and the log and the spans of requests where
they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autoft.interfaces.encoder import Encoded
from autoft.runtime.predictor import Predictor
from autoft.runtime.reference import answer_values, input_values
from autoft.runtime.schemas import answer_kind
from autoft.serving.drift import Drift
from autoft.serving.endpoint import Answer, Listener
from autoft.serving.metrics import Metrics
from autoft.serving.request_log import RequestLog

if TYPE_CHECKING:
    from autoft.serving.tracing import Tracing

EVERY = 100
"""Rows between two looks at the drift: other workers tell of this one what its gauges say."""


class Observer:
    """Hears the batches of `predictor` (in any thread) and, as a `Listener`, its answers. A bundle without a reference has no drift."""

    def __init__(
        self, predictor: Predictor, name: str, metrics: Metrics, log: RequestLog | None = None, tracing: Tracing | None = None
    ) -> None:
        manifest = predictor.bundle.manifest
        self.metrics, self.name = metrics, name
        self.drift = Drift(manifest.reference)
        self._kind = answer_kind(manifest.output_schema)
        self._log, self._problem, self._tracing = log, predictor.problem, tracing
        self._rows = 0
        predictor.watch = self.encoded
        if tracing is not None:
            predictor.phase = tracing.phase
        metrics.refreshed[name] = self._look

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Of the rows and answers of each request."""
        return (self.answered, *([self._logged] if self._log else []))

    def encoded(self, batch: Encoded) -> None:
        """Rows that go through the graph together."""
        self.metrics.batch.labels(self.name).observe(len(batch.lengths))
        self.metrics.tokens.labels(self.name).inc(int(batch.lengths.sum()))
        self.metrics.truncated.labels(self.name).inc(int(batch.truncated.sum()))
        if batch.unknown is not None:
            self.metrics.unknown.labels(self.name).inc(int(batch.unknown.sum()))
        if self._tracing is not None:
            self._tracing.encoded(batch)
        if self.drift.reference:
            self.drift.add(input_values(batch))

    def answered(self, rows: Sequence[Any], answers: Sequence[Answer]) -> None:
        """One answer a row."""
        if not self.drift.reference:
            return
        self.drift.add(answer_values(answers, self._kind))
        self._rows += len(rows)
        if self._rows >= EVERY:
            self._rows = 0
            self._look()

    def _logged(self, rows: Sequence[Any], answers: Sequence[Answer]) -> None:
        assert self._log is not None
        self._log.write(self._problem, self._kind, rows, answers)

    def _look(self) -> None:
        self.metrics.drifted(self.name, self.drift.figures())
