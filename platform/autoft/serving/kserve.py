"""The Open Inference Protocol, which KServe and Triton call V2, with its extension for binary tensors.

A problem's inputs are a tensor each, a row an element: BYTES for texts, numbers for numbers, and JSON in BYTES for all else. What answers
hold becomes one tensor or several, see `outputs_of`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from autoft.interfaces.problem import Problem
from autoft.serving import openapi
from autoft.serving.endpoint import Answer, Endpoint
from autoft.serving.replies import Json
from autoft.serving.requests import RequestError, check_rows, object_in, read_body
from autoft.serving.tensors import BYTES, HEADER, NUMBERS, TensorIn, TensorOut, parameters_of, read_tensors, split_body
from autoft.version import __version__

EXTENSIONS = ("binary_tensor_data",)
_NUMBER = "FP64"
"""Of numbers in answers: as exact as in JSON."""


@dataclass(frozen=True)
class Tensor:
    """What the protocol says of an input or output; -1 is a size that varies. `values` gives those of an answer."""

    name: str
    datatype: str
    width: int | None = None
    values: Callable[[Answer], Sequence[Any]] = lambda _: ()

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": [-1] if self.width is None else [-1, self.width]}


def add_kserve(app: FastAPI, endpoint: Endpoint) -> None:
    """The protocol's routes, and those of the model under its name."""
    about = {"name": "autoft", "version": __version__, "extensions": list(EXTENSIONS)}

    @app.get("/v2/health/live", summary="Open Inference Protocol: the process runs")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready", summary="Open Inference Protocol: all models are loaded")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/v2", summary="Open Inference Protocol: the server")
    async def server() -> dict[str, Any]:
        return about

    _add_model(app, endpoint)


def _add_model(app: FastAPI, endpoint: Endpoint) -> None:
    path = f"/v2/models/{endpoint.name}"

    @app.get(path, summary="Open Inference Protocol: inputs and outputs of the model")
    async def metadata() -> dict[str, Any]:
        return {
            "name": endpoint.name,
            "versions": [],
            "platform": f"autoft_{endpoint.bundle.manifest.exporter}",
            "inputs": [tensor.as_json() for tensor in inputs_of(endpoint)],
            "outputs": [tensor.as_json() for tensor in outputs_of(endpoint)],
            "parameters": {"labels": list(_columns(endpoint))},
        }

    @app.get(f"{path}/ready", summary="Open Inference Protocol: the model is loaded")
    async def model_ready() -> dict[str, Any]:
        return {"name": endpoint.name, "ready": True}

    extra = openapi.infer(endpoint.bundle, [tensor.as_json() for tensor in inputs_of(endpoint)])

    @app.post(f"{path}/infer", summary="Open Inference Protocol: answers as tensors", response_class=Json, openapi_extra=extra)
    async def infer(request: Request) -> Response:
        text, behind = split_body(await read_body(request), request.headers.get(HEADER))
        content = object_in(text)
        tensors = read_tensors(content, behind)
        asked = _asked(content, outputs_of(endpoint))
        rows = check_rows(_rows(tensors, endpoint), endpoint.problem, endpoint.schema)
        return _reply(content.get("id"), endpoint.name, asked, await endpoint.answers(rows, request, lambda _: "inputs"))


# Inputs


def inputs_of(endpoint: Endpoint) -> list[Tensor]:
    """A tensor for each input of a row; numbers of a list have an axis of their own."""
    properties = endpoint.schema.get("properties") or {role: {} for role in endpoint.problem.inputs}
    return [_input(name, schema, endpoint.problem) for name, schema in properties.items()]


def _input(name: str, schema: Mapping[str, Any], problem: Problem) -> Tensor:
    kinds = _kinds(schema)
    if kinds == {"number"}:
        return Tensor(name, _NUMBER)
    if kinds == {"boolean"}:
        return Tensor(name, "BOOL")
    if kinds == {"array"} and _kinds(schema.get("items", {})) == {"number"}:
        columns = len(problem.fields.get(name, ()))
        return Tensor(name, _NUMBER, columns if columns > 1 else -1)
    return Tensor(name, BYTES)


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", "string")
    return {kinds} - {"null"} if isinstance(kinds, str) else set(kinds) - {"null"}


def _rows(tensors: Sequence[TensorIn], endpoint: Endpoint) -> list[dict[str, Any]]:
    expected = {tensor.name: tensor for tensor in inputs_of(endpoint)}
    # A column's own name will do, as everywhere.
    other = {names[0]: role for role, names in endpoint.problem.fields.items() if len(names) == 1 and role in expected}
    columns: dict[str, list[Any]] = {}
    for number, tensor in enumerate(tensors):
        name = tensor.name if tensor.name in expected else other.get(tensor.name)
        if name is None or name in columns:
            what = f"this model has no input {tensor.name}; it has {', '.join(expected)}" if name is None else f"{name} is there twice"
            raise RequestError(422, what, f"inputs.{number}.name")
        columns[name] = _column(tensor, expected[name], f"inputs.{number}", endpoint.schema)
    absent = next((name for name in expected if name not in columns), None)
    if absent is not None:
        raise RequestError(422, f"the input {absent} is missing", "inputs")
    if len({len(column) for column in columns.values()}) > 1:
        raise RequestError(422, "the inputs have different numbers of rows", "inputs")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _column(tensor: TensorIn, expected: Tensor, where: str, schema: Mapping[str, Any]) -> list[Any]:
    """A value a row."""
    numbers = expected.datatype == _NUMBER and tensor.datatype in NUMBERS and tensor.datatype != "BOOL"
    if tensor.datatype != expected.datatype and not numbers:
        raise RequestError(422, f"{where} should be {expected.datatype}, not {tensor.datatype}", f"{where}.datatype")
    rows, width = tensor.shape[0], math.prod(tensor.shape[1:])
    if expected.width is not None:
        if len(tensor.shape) != 2 or (expected.width != -1 and width != expected.width):
            raise RequestError(422, f"{where}.shape should be [rows, {expected.width}]", f"{where}.shape")
        return [tensor.values[row * width : (row + 1) * width] for row in range(rows)]
    if width != 1:
        raise RequestError(422, f"{where}.shape should be [rows] or [rows, 1]", f"{where}.shape")
    wanted = schema.get("properties", {}).get(expected.name, {})
    if expected.datatype != BYTES or "string" in _kinds(wanted):
        return tensor.values
    return [_parsed(value, where) for value in tensor.values]


def _parsed(value: str, where: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise RequestError(422, f"{where}: each element should be JSON", where) from None


# Outputs


def outputs_of(endpoint: Endpoint) -> list[Tensor]:
    """Of classes: label, score (its probability) and scores, a column a label in the order of the labels. Of labels: `labels`, a JSON list
    each, and scores. Of numbers: score. Of entities: `entities`, a JSON list each. Of texts: text. Of anything else: answer, in JSON."""
    kind, columns = endpoint.kind, _columns(endpoint)
    found = []
    if kind in ("classes", "labels"):
        if kind == "classes":
            found += [Tensor("label", BYTES, values=lambda answer: [answer["label"]])]
            found += [Tensor("score", _NUMBER, values=lambda answer: [answer["score"]])]
        else:
            found += [Tensor("labels", BYTES, values=lambda answer: [_written(answer["labels"])])]
        if columns:
            found += [Tensor("scores", _NUMBER, len(columns), lambda answer: [answer["scores"][label] for label in columns])]
        if "sure" in endpoint.bundle.manifest.output_schema.get("properties", {}):
            found += [Tensor("sure", "BOOL", values=lambda answer: [answer["sure"]])]
    elif kind == "score":
        found += [Tensor("score", _NUMBER, values=lambda answer: [answer["score"]])]
    elif kind == "entities":
        found += [Tensor("entities", BYTES, values=lambda answer: [_written(answer["entities"])])]
    elif kind == "text":
        found += [Tensor("text", BYTES, values=lambda answer: [answer["text"]])]
    else:
        found += [Tensor("answer", BYTES, values=lambda answer: [_written(answer)])]
    return found


def _columns(endpoint: Endpoint) -> tuple[str, ...]:
    """The labels whose probabilities an answer holds."""
    scores = "scores" in endpoint.bundle.manifest.output_schema.get("properties", {})
    return endpoint.problem.labels if scores and endpoint.kind in ("classes", "labels") else ()


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _asked(content: Mapping[str, Any], outputs: Sequence[Tensor]) -> list[tuple[Tensor, bool]]:
    """The outputs that are wanted, and whether as binary."""
    binary = _flag(parameters_of(content, ""), "binary_data_output", "parameters")
    wanted = content.get("outputs")
    if wanted is None or wanted == []:
        return [(tensor, binary) for tensor in outputs]
    if not isinstance(wanted, list):
        raise RequestError(422, "outputs should be a list", "outputs")
    known = {tensor.name: tensor for tensor in outputs}
    found = []
    for number, one in enumerate(wanted):
        where = f"outputs.{number}"
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise RequestError(422, f"{where} should be an object with a name", where)
        if one["name"] not in known:
            raise RequestError(422, f"this model has no output {one['name']}; it has {', '.join(known)}", f"{where}.name")
        parameters = parameters_of(one, where)
        odd = next((name for name in parameters if name not in ("binary_data",)), None)
        if odd is not None:
            raise RequestError(422, f"{where}: the parameter {odd} is not supported", f"{where}.parameters.{odd}")
        found.append((known[one["name"]], _flag(parameters, "binary_data", f"{where}.parameters", binary)))
    return found


def _flag(parameters: Mapping[str, Any], name: str, where: str, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(422, f"{where}.{name} should be true or false", f"{where}.{name}")
    return value


def _reply(id: Any, name: str, asked: Sequence[tuple[Tensor, bool]], answers: Sequence[Answer]) -> Response:
    said, behind = [], []
    for tensor, binary in asked:
        shape = (len(answers),) if tensor.width is None else (len(answers), tensor.width)
        made = TensorOut(tensor.name, tensor.datatype, shape, [value for answer in answers for value in tensor.values(answer)])
        if binary:
            head, content = made.as_bytes()
            said.append(head)
            behind.append(content)
        else:
            said.append(made.as_json())
    body = Json({"model_name": name, **({"id": id} if isinstance(id, str) else {}), "outputs": said})
    if not any(binary for _, binary in asked):
        return body
    text = bytes(body.body)
    return Response(text + b"".join(behind), headers={HEADER: str(len(text))}, media_type="application/octet-stream")
