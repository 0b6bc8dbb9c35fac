"""Spans of requests: the tree, what is in them and what never is, and where they are sent."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from autoft.errors import AutoftError, InputError
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft.serving import tracing as tracing_module
from autoft.serving.access import AccessLog
from autoft.serving.app import create_app
from autoft.serving.assembled import assembled
from autoft.serving.engine import Engine
from autoft.serving.tracing import Tracing, opened
from http_servers import Client, Process, in_thread, options_for, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(sent: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(sent))
    return Tracing(provider)


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return load_predictor(bundle, threads=1)


@pytest.fixture
def client(predictor: Predictor, tracing: Tracing) -> TestClient:
    return TestClient(AccessLog(create_app(predictor, name="reviews", tracing=tracing)), raise_server_exceptions=False)


def spans(sent: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    """By name."""
    found: dict[str, list[ReadableSpan]] = {}
    for span in sent.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def under(parent: ReadableSpan, child: ReadableSpan) -> bool:
    return child.parent is not None and child.parent.span_id == parent.context.span_id and child.context.trace_id == parent.context.trace_id


def test_a_request_its_queue_and_its_batches(client: TestClient, sent: InMemorySpanExporter) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"}
    assert client.post("/predict", json={"inputs": ["great awful"] * 300}, headers=headers).status_code == 200
    found = spans(sent)
    assert {name: len(some) for name, some in found.items()} == {
        "POST /predict": 1, "queue": 1, "batch": 2, "encode": 2, "graph": 2, "decode": 2,
    }  # fmt: skip
    (request,) = found["POST /predict"]
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    assert request.kind is SpanKind.SERVER
    assert dict(request.attributes) == {
        "http.request.method": "POST", "http.route": "/predict", "http.response.status_code": 200,
        "autoft.bundle": "reviews", "autoft.request_id": "mine", "autoft.rows": 300,
    }  # fmt: skip
    assert all(under(request, one) for one in [*found["queue"], *found["batch"]])
    assert {one.attributes["autoft.batch.rows"] for one in found["batch"]} == {256, 44}
    assert sorted(one.attributes["autoft.tokens"] for one in found["encode"]) == [88, 512]
    for name in ("encode", "graph", "decode"):
        assert {one.parent.span_id for one in found[name]} == {one.context.span_id for one in found["batch"]}
    for one in sent.get_finished_spans():
        assert request.start_time <= one.start_time <= one.end_time <= request.end_time
        assert one.status.status_code is StatusCode.UNSET


def test_who_asks_whether_it_is_well_makes_no_span(client: TestClient, sent: InMemorySpanExporter) -> None:
    for path in ("/health/live", "/metrics", "/info"):
        assert client.get(path).status_code == 200
    assert client.post("/no/such/secret").status_code == 404
    (span,) = sent.get_finished_spans()
    assert span.name == "POST"
    assert "secret" not in span.to_json()


def test_errors_are_marked_by_their_kind(
    client: TestClient, predictor: Predictor, sent: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/predict", json={"inputs": 3}).status_code == 422
    (refused,) = sent.get_finished_spans()
    assert (refused.status.status_code, refused.attributes["http.response.status_code"]) == (StatusCode.UNSET, 422)
    sent.clear()

    def fails(encoded: object) -> None:
        raise RuntimeError("a private text")

    monkeypatch.setattr(predictor, "_graph", fails)
    assert client.post("/predict", json={"text": "a private text"}).status_code == 500
    found = spans(sent)
    marked = {name: some[0].attributes["error.type"] for name, some in found.items() if some[0].status.status_code is StatusCode.ERROR}
    assert marked == {"POST /predict": "500", "batch": "RuntimeError", "graph": "RuntimeError"}
    assert "decode" not in found


def test_no_text_is_in_any_span(client: TestClient, sent: InMemorySpanExporter) -> None:
    texts = ["a private text", "another great one"]
    for path, body in (
        ("/predict", {"inputs": texts}),
        ("/", {"inputs": texts[0]}),
        ("/predict?text=private", {"private": texts[0]}),
        ("/invocations", {"instances": texts}),
        ("/v2/models/reviews/infer", {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["private"]}]}),
    ):
        client.post(path, json=body, headers={"baggage": "text=private"})
    written = "".join(span.to_json() for span in sent.get_finished_spans())
    assert written.count('"autoft.rows"') == 4
    for word in ("private", "another", "great", "good"):  # ids are hexadecimal, and may hold "bad"
        assert word not in written


def test_what_is_refused_or_late_has_waited_in_the_queue(
    predictor: Predictor, tracing: Tracing, sent: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun, answer = threading.Event(), threading.Semaphore(0), predictor.answer

    def slow(rows: object, numbers: object) -> object:
        begun.release()
        assert held.wait(30)
        return answer(rows, numbers)

    monkeypatch.setattr(predictor, "answer", slow)
    client = TestClient(create_app(predictor, name="reviews", engine=Engine(timeout=0.3), tracing=tracing))
    try:
        statuses = [client.post("/predict", json={"text": "great"}).status_code for _ in range(3)]
    finally:
        held.set()
    assert statuses == [504] * 3
    found = spans(sent)
    assert len(found["queue"]) == 3
    assert {one.attributes["http.response.status_code"] for one in found["POST /predict"]} == {504}
    assert {one.status.status_code for one in found["POST /predict"]} == {StatusCode.ERROR}
    until(lambda: len(spans(sent).get("batch", [])) == 2)  # a thread each; the third was never taken


def test_of_requests_in_one_batch_each_has_its_span(predictor: Predictor, tracing: Tracing, sent: InMemorySpanExporter) -> None:
    import asyncio

    predictor.budget = 10_000
    predictor.phase = tracing.phase

    async def ask() -> None:
        engine = Engine()
        engine._staff = lambda wanted: None  # both wait before a thread comes
        jobs = []
        for number in range(2):
            with tracing.span(f"asked {number}"):
                jobs.append(engine.submit(predictor, ["great"] * 3, trace=tracing.job(3)))
        Engine._staff(engine, 1)
        await asyncio.gather(*(job.future for job in jobs))
        engine.close()

    asyncio.run(ask())
    found = spans(sent)
    assert [one.attributes["autoft.batch.rows"] for one in found["batch"]] == [6, 6]
    assert len({one.context.trace_id for one in found["batch"]}) == 2
    assert len(found["graph"]) == 1
    assert found["graph"][0].context.trace_id == found["asked 0"][0].context.trace_id


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """The address of one, and what it got."""
    got: list[ExportTraceServiceRequest] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            got.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join(10)


def test_workers_send_what_they_have_when_they_end(
    bundle: Path, tmp_path: Path, collector: tuple[str, list[ExportTraceServiceRequest]]
) -> None:
    address, got = collector
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "shop", "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with Process(tmp_path, bundle, "--workers", "2", "--otel", **variables) as server:
        with Client(server.address) as client:
            client.predict("a private text")
        assert server.stop() == 0
    (resources,) = [one for request in got for one in request.resource_spans]
    named = {one.key: one.value.string_value for one in resources.resource.attributes}
    assert named["service.name"] == "shop"
    names = [span.name for scope in resources.scope_spans for span in scope.spans]
    assert sorted(names) == ["POST /predict", "batch", "decode", "encode", "graph", "queue"]
    assert b"private" not in got[0].SerializeToString()


def test_a_collector_that_is_gone_holds_nobody(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # its thread is not waited for
    monkeypatch.setattr(tracing_module, "LAST_SPANS", 0.1)
    with in_thread(bundle, otel=True) as (address, _), Client(address) as client:
        assert client.predict()["label"] == "good"
    assert "Traceback" not in caplog.text


def test_variables_say_where_spans_go(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert opened() is None
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    told = opened()
    assert told is not None
    with told.span("alone"):
        pass
    told.close()
    output = capsys.readouterr()
    assert output.out == ""
    assert '"name": "alone"' in output.err
    assert '"service.name": "autoft"' in output.err
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert opened() is None
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(InputError, match="OTEL_TRACES_EXPORTER=zipkin: no such exporter is installed"):
        opened()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
    with pytest.raises(InputError, match="with the protocol carrier-pigeon: no such exporter"):
        opened()


LOADED = """
import sys
from autoft.serving.assembled import assembled
from autoft.serving.options import Named, Options
from pathlib import Path
with assembled(Options(bundles=(Named(name="a", folder=Path(sys.argv[1])),), threads=1)):
    # FastAPI itself may import the library's interface, which does nothing alone.
    print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "autoft.serving.tracing"))])
"""


def test_nothing_of_it_is_imported_by_default(bundle: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, str(bundle)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_packages_it_says_what_to_install(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "autoft.serving.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(AutoftError, match="--otel needs OpenTelemetry's SDK") as caught, assembled(options_for(bundle, otel=True)):
        pass
    assert caught.value.hint == "pip install 'autoft[otel]'"
    with assembled(options_for(bundle)) as made:
        assert made.bundles["bundle"].predictor.predict(["great"])[0]["label"] == "good"


def test_fastapi_tells_nothing_by_itself(
    predictor: Predictor, tracing: Tracing, sent: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", tracing._provider)
    monkeypatch.setattr(predictor, "answer", lambda rows, numbers: 1 / 0)
    client = TestClient(create_app(predictor, name="reviews"), raise_server_exceptions=False)
    assert client.post("/predict", json={"text": "a private text"}).status_code == 500
    assert sent.get_finished_spans() == ()
