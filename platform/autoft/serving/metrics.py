"""`/metrics` for Prometheus.

Each application has a registry of its own; nothing is kept in the library's global one.

Several worker processes: where the variable `PROMETHEUS_MULTIPROC_DIR` names an empty folder *before* the library is imported, it keeps the
values in files there; the supervisor sets it in their environment. Any worker's `/metrics` is then that of all: counters
and histograms are summed, and stay when a worker ends; requests in work are summed over the living; and of drift the living worker that is
furthest off counts, since each holds a share of the same traffic against the reference.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHARED = "PROMETHEUS_MULTIPROC_DIR"
NO_ROUTE = "(none)"
"""The route of requests to paths that there are not: their number must not grow with what strangers ask."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """What is counted; `model` is the name of a model. `refreshed` is called before the page is made, by the name of the model."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter("autoft_requests", "Requests that were answered", ("route", "status"), registry=registry)
        self.errors = Counter("autoft_errors", "Requests that failed: answered with 500 or above", ("route",), registry=registry)
        self.latency = Histogram(
            "autoft_request_seconds", "From the request to the end of its answer", ("route",), buckets=_SECONDS, registry=registry
        )
        self.in_work = Gauge("autoft_requests_in_work", "Requests in work", registry=registry, multiprocess_mode="livesum")
        self.queue = Histogram(
            "autoft_queue_seconds", "From the arrival of rows to the start of their batch", ("model",), buckets=_SECONDS, registry=registry
        )
        self.batch = Histogram(
            "autoft_batch_rows", "Rows that went through the graph together", ("model",), buckets=_ROWS, registry=registry
        )
        self.tokens = Counter("autoft_tokens", "Tokens, or what else the encoder counts", ("model",), registry=registry)
        self.unknown = Counter("autoft_unknown_tokens", "Tokens that the vocabulary does not know", ("model",), registry=registry)
        self.truncated = Counter("autoft_truncated_rows", "Rows that lost content to the longest length", ("model",), registry=registry)
        self.drift = Gauge(
            "autoft_drift_psi",
            "Population stability index of a quantity against the bundle's reference",
            ("model", "quantity"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.chance = Gauge(
            "autoft_drift_psi_by_chance",
            "What the index exceeds once in twenty times without any drift",
            ("model", "quantity"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.refreshed: dict[str, Callable[[], None]] = {}

    def queued(self, model: str, seconds: float) -> None:
        """For whoever holds rows back until their batch starts: one call a request."""
        self.queue.labels(model).observe(seconds)

    def drifted(self, model: str, figures: Mapping[str, Any]) -> None:
        """Of `Drift.figures`; a quantity with too few values has no gauge."""
        for quantity, one in figures.get("quantities", {}).items():
            if one["psi"] is not None:
                self.drift.labels(model, quantity).set(one["psi"])
                self.chance.labels(model, quantity).set(one["by_chance"])

    def page(self) -> bytes:
        """In Prometheus' text format."""
        for refresh in tuple(self.refreshed.values()):
            refresh()
        if not os.environ.get(SHARED):
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """The route, and the middleware that counts requests."""
    app.add_middleware(Measured, metrics=metrics)
    text = {"text/plain": {"schema": {"type": "string"}}}

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"description": "the metrics", "content": text}},
    )
    def page() -> Response:
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE_LATEST})


def route_of(scope: Scope) -> str | None:
    """Of a request that an application has had, with the prefix of its bundle; None for a path that there is not."""
    path = getattr(scope.get("route"), "path", None)
    return None if path is None else scope.get("root_path", "") + path


class Measured:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_work.inc()
        try:
            await self._app(scope, receive, watch)
        finally:
            self._metrics.in_work.dec()
            route = route_of(scope) or NO_ROUTE
            self._metrics.requests.labels(route, status).inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - started)
            if status >= 500:
                self._metrics.errors.labels(route).inc()
