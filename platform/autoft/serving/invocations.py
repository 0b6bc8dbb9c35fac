"""The routes of MLflow's scoring server: `POST /invocations` and `GET /ping`.

A request holds its rows in one of four ways: `dataframe_split` (columns and data), `dataframe_records` (an object a row), `inputs` (rows,
or a list for each column), `instances` (rows); or it is CSV with a header. See https://mlflow.org/docs/latest/ml/deployment/.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from autoft.serving import openapi
from autoft.serving.endpoint import Endpoint
from autoft.serving.replies import Json
from autoft.serving.requests import RequestError, check_rows, names_of, object_in, read_body

WAYS = ("dataframe_split", "dataframe_records", "inputs", "instances")
CSV = "text/csv"


def add_mlflow(app: FastAPI, endpoint: Endpoint) -> None:
    """An answer is one of `predictions`, in the order of the rows."""

    @app.get("/ping", summary="MLflow: the model is loaded")
    async def ping() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/invocations", summary="MLflow: predictions", response_class=Json, openapi_extra=openapi.invocations(endpoint.bundle))
    async def invocations(request: Request) -> Response:
        body = await read_body(request)
        written = request.headers.get("content-type", "").partition(";")[0].strip().lower() == CSV
        field, rows = ("rows", _from_csv(body)) if written else rows_in(object_in(body))
        rows = check_rows([_wanted(row, endpoint) for row in rows], endpoint.problem, endpoint.schema, field)
        return Json({"predictions": await endpoint.answers(rows, request, lambda number: f"{field}.{number}")})


def rows_in(content: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The field that holds the rows, and these. Raises RequestError."""
    given = [name for name in WAYS if name in content]
    if len(given) != 1:
        what = f"give one of {', '.join(WAYS)}" + (f", not {' and '.join(given)}" if given else "")
        raise RequestError(422, what, given[1] if given else WAYS[0])
    (name,) = given
    if unknown := next((field for field in content if field not in (name, "params")), None):
        raise RequestError(422, f"{unknown!r} is no field of a request: give {name} alone", unknown)
    if content.get("params") not in (None, {}):
        raise RequestError(422, "this model takes no params", "params")
    value = content[name]
    if name == "dataframe_split":
        return name, _from_split(value)
    if name == "inputs" and isinstance(value, Mapping):
        return name, _from_columns(value)
    if not isinstance(value, list):
        raise RequestError(422, f"{name} should be a list of rows", name)
    if name == "dataframe_records" and not all(isinstance(row, Mapping) for row in value):
        raise RequestError(422, "dataframe_records should be a list of objects", name)
    return name, value


def _from_split(split: Any) -> list[Any]:
    if not isinstance(split, Mapping):
        raise RequestError(422, "dataframe_split should be an object with columns and data", "dataframe_split")
    columns, data = split.get("columns"), split.get("data")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise RequestError(422, "dataframe_split.columns should be a list of different texts", "dataframe_split.columns")
    if not isinstance(data, list):
        raise RequestError(422, "dataframe_split.data should be a list of rows", "dataframe_split.data")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            where = f"dataframe_split.data.{number}"
            raise RequestError(422, f"{where} should be a list of {len(columns)} values", where)
    return [dict(zip(columns, row, strict=True)) for row in data]


def _from_columns(columns: Mapping[str, Any]) -> list[Any]:
    for name, values in columns.items():
        if not isinstance(values, list):
            raise RequestError(422, f"inputs.{name} should be a list, a value a row", f"inputs.{name}")
    if len({len(values) for values in columns.values()}) > 1:
        raise RequestError(422, "the columns of inputs have different numbers of rows", "inputs")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _from_csv(body: bytes) -> list[Any]:
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError:
        raise RequestError(422, "the CSV is no UTF-8") from None
    except csv.Error as error:
        raise RequestError(422, f"the body is no CSV: {error}") from None
    rows = [line for line in lines if line]
    if not rows:
        raise RequestError(422, "the CSV has no header")
    uneven = next((number for number, row in enumerate(rows[1:], 1) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise RequestError(422, f"row {uneven} of the CSV has {len(rows[uneven])} values, its header {len(rows[0])}")
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def _wanted(row: Any, endpoint: Endpoint) -> Any:
    """The columns that the model reads: a frame may have others. An array of one column comes as lists of one value, and such a list is
    that value where the input takes no lists."""
    if isinstance(row, Mapping):
        names = names_of(endpoint.problem)
        return {name: value for name, value in row.items() if name in names}
    if len(endpoint.problem.inputs) == 1 and isinstance(row, Sequence) and len(row) == 1 and not isinstance(row, str):
        kinds = endpoint.schema.get("properties", {}).get(endpoint.problem.inputs[0], {}).get("type", "string")
        return row[0] if kinds == "string" else row
    return row
