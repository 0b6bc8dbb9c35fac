"""The HTTP application around a `Predictor`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from autoft.runtime.predictor import Predictor
from autoft.serving import openapi
from autoft.serving.answering import Answering
from autoft.serving.endpoint import Endpoint
from autoft.serving.engine import Engine
from autoft.serving.huggingface import question_of
from autoft.serving.invocations import add_mlflow
from autoft.serving.kserve import add_kserve
from autoft.serving.metrics import Metrics, add_metrics
from autoft.serving.observer import Observer
from autoft.serving.page import add_page
from autoft.serving.replies import Json, failure
from autoft.serving.request_log import RequestLog
from autoft.serving.requests import RequestError, name_in, read_json, rows_of
from autoft.version import __version__

if TYPE_CHECKING:
    from autoft.serving.tracing import Tracing

_PAGE = Path(__file__).with_name("docs.html")
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    predictor: Predictor,
    *,
    name: str,
    engine: Engine | None = None,
    metrics: Metrics | None = None,
    request_log: RequestLog | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """An application that answers with `predictor`; `name` is what it calls the model. `engine` does the work and `metrics` count it; both
    are its own by default. Rows and answers go to `request_log`, and spans are made by `tracing`, if any.

    Errors are JSON: `{"error": message, "field": name}`, with 422 for what is malformed, 413 for too much, never a traceback.
    """
    app = FastAPI(
        title=name,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        description=f"{predictor.problem.task}, served by autoft",
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )  # newer ones of FastAPI tell by themselves, whole messages of errors among it, which may quote a text; older ones pass this over
    app.state.predictor = predictor  # held here alone: see Answering
    metrics = metrics or Metrics()
    observer = Observer(predictor, name, metrics, request_log, tracing)
    answers = Answering(
        predictor, engine or Engine(), observer.listeners, partial(metrics.queued, name), tracing.job if tracing is not None else None
    )
    endpoint = Endpoint(name, predictor.bundle, answers)
    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    _add_answers(app, endpoint)
    _add_facts(app, _facts(endpoint, predictor), observer)
    add_page(app)
    add_kserve(app, endpoint)
    add_mlflow(app, endpoint)
    add_metrics(app, metrics)
    if tracing is not None:
        tracing.watch(app, name)
    return app


def _add_answers(app: FastAPI, endpoint: Endpoint) -> None:
    bundle, problem, schema = endpoint.bundle, endpoint.problem, endpoint.schema

    @app.post("/predict", summary="One answer, or one a row in order", response_class=Json, openapi_extra=openapi.predict(bundle))
    async def predict(request: Request) -> Response:
        body = await read_json(request)
        rows, single = rows_of(body, problem, schema)
        place: Callable[[int], str | None] = (lambda _: name_in(body, problem)) if single else "inputs.{}".format
        found = await endpoint.answers(rows, request, place)
        return Json(found[0] if single else found)

    @app.post("/", summary="Hugging Face's shape", response_class=Json, openapi_extra=openapi.huggingface(bundle))
    async def pipeline(request: Request) -> Response:
        question = question_of(await read_json(request), endpoint.kind, problem, schema)
        return Json(question.shaped(await endpoint.answers(question.rows, request, question.place)))


def _add_facts(app: FastAPI, facts: dict[str, Any], observer: Observer) -> None:
    @app.get("/health/live", summary="The process runs")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", summary="The model is loaded")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/info", summary="What is served, and where it comes from")
    async def info() -> dict[str, Any]:
        return {**facts, "drift": observer.drift.figures()}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers=_PAGE_HEADERS)


def _facts(endpoint: Endpoint, predictor: Predictor) -> dict[str, Any]:
    manifest, problem = endpoint.bundle.manifest, endpoint.problem
    kept = manifest.model_dump(
        mode="json", include={"created", "figures", "proof", "licences", "input_schema", "output_schema", "provenance"}
    )
    return {
        "name": endpoint.name,
        "task": problem.task,
        "inputs": list(problem.inputs),
        "fields": {role: list(names) for role, names in problem.fields.items()},
        "labels": list(problem.labels),
        "metric": problem.metric.name,
        "answers": endpoint.kind,
        "max_length": manifest.encoder.config.get("max_length"),
        "autoft": {"serving": __version__, "bundle": manifest.autoft},
        "sessions": predictor.at_once,
        "threads": predictor.threads,
        "batch_tokens": predictor.budget,
        **kept,
    }


async def refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """The response to a request that is refused."""
    assert isinstance(error, RequestError)
    return Json(error.as_json(), status_code=error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {404: f"there is no {request.url.path}; see /docs", 405: f"{request.url.path} does not take {request.method}; see /docs"}
    return Json({"error": detail.get(error.status_code, str(error.detail))}, status_code=error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return await refused(request, failure(error))
