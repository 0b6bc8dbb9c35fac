"""The HTTP application around a `Predictor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from autoft.runtime.predictor import Predictor
from autoft.serving import openapi
from autoft.serving.access import AccessLog
from autoft.serving.huggingface import question_of
from autoft.serving.invocations import add_mlflow
from autoft.serving.kserve import add_kserve
from autoft.serving.metrics import Metrics, add_metrics
from autoft.serving.page import add_page
from autoft.serving.replies import Json, failure
from autoft.serving.request_log import RequestLog
from autoft.serving.requests import RequestError, read_json, rows_of
from autoft.serving.served import Served, answers_of, heard
from autoft.serving.watch import Watch
from autoft.version import __version__

_PAGE = Path(__file__).with_name("docs.html")
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(predictor: Predictor, *, name: str, request_log: RequestLog | None = None) -> FastAPI:
    """An application that answers with `predictor`; `name` is what it calls the model. Rows and answers go to `request_log`, if any.

    Errors are JSON: `{"error": message, "field": name}`, with 422 for what is malformed, 413 for too much, never a traceback.
    """
    app = FastAPI(title=name, version=__version__, docs_url=None, redoc_url=None, description=f"{predictor.problem.task}, served by autoft")
    metrics = Metrics()
    watch = Watch(predictor, name, metrics, request_log)
    served = Served(name, predictor, heard(answers_of(predictor), *watch.listeners))
    app.add_middleware(AccessLog)
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    _add_answers(app, served)
    _add_facts(app, served, watch)
    add_page(app, served)
    add_kserve(app, [served])
    add_mlflow(app, served)
    add_metrics(app, metrics)
    return app


def _add_answers(app: FastAPI, served: Served) -> None:
    bundle = served.bundle

    @app.post(
        f"{served.prefix}/predict", summary="One answer, or one a row in order", response_class=Json, openapi_extra=openapi.predict(bundle)
    )
    async def predict(request: Request) -> Response:
        rows, single = rows_of(await read_json(request), served.problem, served.schema)
        found = await served.answers(rows)
        return Json(found[0] if single else found)

    @app.post(f"{served.prefix}/", summary="Hugging Face's shape", response_class=Json, openapi_extra=openapi.huggingface(bundle))
    async def pipeline(request: Request) -> Response:
        question = question_of(await read_json(request), served.kind, served.problem, served.schema)
        return Json(question.shaped(await served.answers(question.rows)))


def _add_facts(app: FastAPI, served: Served, watch: Watch) -> None:
    @app.get("/health/live", summary="The process runs")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", summary="The model is loaded")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.get(f"{served.prefix}/info", summary="What is served, and where it comes from")
    async def info() -> dict[str, Any]:
        return {**_facts(served), "drift": watch.drift.figures()}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers=_PAGE_HEADERS)


def _facts(served: Served) -> dict[str, Any]:
    predictor, manifest, problem = served.predictor, served.bundle.manifest, served.problem
    kept = manifest.model_dump(
        mode="json", include={"created", "figures", "proof", "licences", "input_schema", "output_schema", "provenance"}
    )
    return {
        "name": served.name,
        "prefix": served.prefix,
        "task": problem.task,
        "inputs": list(problem.inputs),
        "fields": {role: list(names) for role, names in problem.fields.items()},
        "labels": list(problem.labels),
        "metric": problem.metric.name,
        "answers": served.kind,
        "max_length": manifest.encoder.config.get("max_length"),
        "autoft": {"serving": __version__, "bundle": manifest.autoft},
        "sessions": predictor.at_once,
        "threads": predictor.threads,
        **kept,
    }


async def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RequestError)
    return Json(error.as_json(), status_code=error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {404: f"there is no {request.url.path}; see /docs", 405: f"{request.url.path} does not take {request.method}; see /docs"}
    return Json({"error": detail.get(error.status_code, str(error.detail))}, status_code=error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, failure(error))
