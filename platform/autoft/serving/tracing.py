"""Spans of requests by OpenTelemetry: with `--otel` alone is this imported, since its packages are those of the extra `otel`.

    POST /predict               http.*, autoft.request_id, autoft.bundle, autoft.rows
      queue                     from the arrival of the rows to the thread that takes them
      batch                     autoft.batch.rows; one for each batch of the request
        encode                  autoft.tokens
        graph
        decode

Where spans go is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`, `OTEL_TRACES_SAMPLER`, ...); see
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. No span holds what was asked or answered: of an error
its kind alone is told, since a message may quote a text.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.metadata import entry_points

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoft.errors import DataError, InputError
from autoft.interfaces.encoder import Encoded
from autoft.serving.access import REQUEST_ID
from autoft.serving.metrics import route_of
from autoft.version import __version__

LAST_SPANS = 3.0
"""Seconds that a server which ends has to send what it has: a collector that is gone must not hold it."""

_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""Of OTLP, and what their exporters are called among the entry points."""


class Tracing:
    """Makes spans of a provider, which it closes. Only POST requests have one: those that ask for answers, and not those that ask whether
    the server is well."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.propagate import extract  # reads OTEL_PROPAGATORS, and raises ValueError where it names none

        self._provider, self._extract = provider, extract
        self._tracer = provider.get_tracer("autoft.serving", __version__)

    def watch(self, app: FastAPI, bundle: str) -> None:
        """Make spans of the requests of an application, which answers with the bundle of this name."""
        app.add_middleware(Traced, tracing=self, bundle=bundle)

    def asked(self, scope: Scope, bundle: str) -> AbstractContextManager[Span]:
        """Around a request; part of the client's trace where its headers tell of one."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "autoft.bundle": bundle, "autoft.request_id": REQUEST_ID.get() or ""}
        return self.span(scope["method"], self._extract(headers), attributes, SpanKind.SERVER)

    def job(self, rows: int) -> JobSpans:
        """For the rows of the request that this is called in."""
        trace.get_current_span().set_attribute("autoft.rows", rows)
        return JobSpans(self, get_current())

    def phase(self, name: str) -> AbstractContextManager[Span]:
        """Around a part of the work on a batch, in the thread that does it."""
        return self.span(name)

    def encoded(self, batch: Encoded) -> None:
        """Rows that were encoded in the phase that this is called in."""
        trace.get_current_span().set_attribute("autoft.tokens", int(batch.lengths.sum()))

    @contextlib.contextmanager
    def span(
        self, name: str, context: Context | None = None, attributes: dict[str, str | int] | None = None, kind: SpanKind = SpanKind.INTERNAL
    ) -> Iterator[Span]:
        """The current one as long as this lasts. A row that cannot be answered is no error of the server's."""
        with self._tracer.start_as_current_span(
            name, context, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except DataError:
                raise
            except BaseException as error:
                _failed(span, type(error).__name__)
                raise

    def past(self, name: str, context: Context, began: int) -> None:
        """A span from `began`, in nanoseconds since 1970, until now."""
        self._tracer.start_span(name, context, start_time=began).end()

    def close(self) -> None:
        """Send what there is, for `LAST_SPANS` seconds at most."""
        sending = threading.Thread(target=self._provider.shutdown, name="autoft-last-spans", daemon=True)
        sending.start()
        sending.join(LAST_SPANS)


class JobSpans:
    """Of the rows of a request, in the threads of the engine: an `engine.Trace`."""

    def __init__(self, tracing: Tracing, context: Context) -> None:
        self._tracing, self._context = tracing, context
        self._arrived, self._waiting = time.time_ns(), True
        self._lock = threading.Lock()

    def waited(self) -> None:
        """The rows were taken, or nobody waits for them any more. Only the first call counts."""
        with self._lock:
            waiting, self._waiting = self._waiting, False
        if waiting:
            self._tracing.past("queue", self._context, self._arrived)

    def batch(self, rows: int) -> AbstractContextManager[Span]:
        """Around the work on a batch of so many rows."""
        return self._tracing.span("batch", self._context, {"autoft.batch.rows": rows})


class Traced:
    """ASGI middleware, inside the bundle's application: the route is known there."""

    def __init__(self, app: ASGIApp, tracing: Tracing, bundle: str) -> None:
        self._app, self._tracing, self._bundle = app, tracing, bundle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracing.asked(scope, self._bundle) as span:
            try:
                await self._app(scope, receive, watch)
            finally:
                route = route_of(scope)
                if route is not None:  # a path that there is not may hold anything
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    _failed(span, str(status))


def _failed(span: Span, kind: str) -> None:
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", kind)


def opened() -> Tracing | None:
    """As the variables say; None where they want no spans. Raises InputError where they name what there is not."""
    names = [name.strip() for name in (os.environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(",") if name.strip()]
    if "none" in names or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "autoft", SERVICE_VERSION: __version__}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for name in names:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
    try:
        return Tracing(provider)
    except ValueError as error:
        raise InputError(f"OTEL_PROPAGATORS: {error}", hint="leave it out: tracecontext and baggage are the default") from None


def _exporter(name: str) -> SpanExporter:
    if name == "console":  # standard output is for those who start the process
        return ConsoleSpanExporter(out=sys.stderr)
    entry, said = name, f"OTEL_TRACES_EXPORTER={name}"
    if name == "otlp":
        variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        protocol = next((os.environ[one] for one in variables if os.environ.get(one)), "http/protobuf")
        entry, said = _PROTOCOLS.get(protocol, protocol), f"{said} with the protocol {protocol}"
    found = entry_points(group="opentelemetry_traces_exporter", name=entry)
    if not found:
        raise InputError(
            f"{said}: no such exporter is installed", hint="pip install 'autoft[otel]' brings otlp by http/protobuf, and console"
        )
    try:
        exporter: SpanExporter = next(iter(found)).load()()
    except Exception as error:  # whatever is wrong with its variables
        raise InputError(f"{said} cannot be used: {type(error).__name__}: {error}", hint="look at the OTEL_* variables") from None
    return exporter
