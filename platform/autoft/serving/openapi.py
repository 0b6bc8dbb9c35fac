"""What the OpenAPI document says of requests and answers, from the bundle's own schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from autoft.runtime.bundle import Bundle
from autoft.runtime.predictor import TRUNCATED
from autoft.runtime.schemas import AnswerKind, answer_kind
from autoft.serving.huggingface import FUNCTIONS, PARAMETERS, STRATEGIES
from autoft.serving.requests import MOST_BYTES, MOST_INPUTS

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "field": {"type": "string"}},
    "required": ["error"],
}
_REASONS = {
    408: "the body did not arrive in time",
    413: f"more than {MOST_INPUTS:,} inputs or {MOST_BYTES:,} bytes",
    422: "malformed; `field` names what",
    429: "too many rows wait already; `Retry-After` says in how many seconds to come again",
    500: "the model could not answer",
    504: "there was no answer in time",
}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "top_k": {"type": ["integer", "null"], "minimum": 1},
    "function_to_apply": {"type": ["string", "null"]},
    "aggregation_strategy": {"enum": [*STRATEGIES, None]},
    "ignore_labels": {"type": ["array", "null"], "items": _TEXT},
}


def predict(bundle: Bundle) -> dict[str, Any]:
    """Of POST /predict: one row or a list of rows."""
    row, answer = bundle.manifest.input_schema or {"type": "object"}, _with_truncated(bundle.manifest.output_schema or {"type": "object"})
    many = {"type": "object", "required": ["inputs"], "properties": {"inputs": _list(_row_or_value(bundle))}}
    return _operation({"anyOf": [row, many]}, {"anyOf": [answer, {"type": "array", "items": answer}]}, example_row(bundle))


def _with_truncated(answer: dict[str, Any]) -> dict[str, Any]:
    mark = {"type": "boolean", "description": "true where the row was cut, since it is longer than the model reads"}
    return {**answer, "properties": {**answer.get("properties", {}), TRUNCATED: mark}}


def huggingface(bundle: Bundle) -> dict[str, Any]:
    """Of POST /, for the kind of answers that the bundle gives."""
    value, kind = _row_or_value(bundle), answer_kind(bundle.manifest.output_schema)
    asked = [value, _list(value)]
    if kind == "score" and len(bundle.problem.inputs) == 2:
        properties = {"source_sentence": _TEXT, "sentences": _list(_TEXT)}
        asked.append(_object(properties))
    known = {name: _PARAMETERS[name] for name in PARAMETERS[kind]} if kind else {}
    if kind and "function_to_apply" in known:
        known["function_to_apply"] = {"enum": [FUNCTIONS[kind][0], None]}
    parameters = {"type": "object", "properties": known, "additionalProperties": False}
    request = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"anyOf": asked}, "parameters": parameters}}
    row = example_row(bundle)
    return _operation(request, _answer(bundle, kind), {"inputs": next(iter(row.values())) if len(row) == 1 else row})


def infer(bundle: Bundle, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the Open Inference Protocol's route, whose `inputs` are as its metadata say. The binary extension is a body of its own."""
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"enum": [one["name"] for one in inputs]},
            "datatype": {"enum": sorted({one["datatype"] for one in inputs})},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, "minItems": 1, "maxItems": 8},
            "data": {"type": "array"},
        },
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {"id": _TEXT, "inputs": {"type": "array", "items": tensor, "minItems": len(inputs)}},
    }
    output = _object({"name": _TEXT, "datatype": _TEXT, "shape": {"type": "array", "items": {"type": "integer"}}})
    answer = _object({"model_name": _TEXT, "outputs": _array(output)})
    row = example_row(bundle)
    example = {"inputs": [_example_tensor(one, row[one["name"]]) for one in inputs]}
    made = _operation(request, answer, example)
    binary = {"schema": {"type": "string", "format": "binary"}}
    made["responses"]["200"]["content"]["application/octet-stream"] = binary
    return made


def _example_tensor(tensor: Mapping[str, Any], value: Any) -> dict[str, Any]:
    if len(tensor["shape"]) == 2:
        return {**tensor, "shape": [1, len(value)], "data": value}
    text = tensor["datatype"] == "BYTES" and not isinstance(value, str)
    return {**tensor, "shape": [1], "data": [json.dumps(value) if text else value]}


def invocations(bundle: Bundle) -> dict[str, Any]:
    """Of MLflow's route."""
    value, row = _row_or_value(bundle), bundle.manifest.input_schema or {"type": "object"}
    split = _object({"columns": {**_array(_TEXT), "uniqueItems": True}, "data": _list({"type": "array"})})
    columns = {"type": "object", "additionalProperties": {"type": "array"}}
    ways: dict[str, Any] = {
        "dataframe_split": split,
        "dataframe_records": _list(row),
        "inputs": {"anyOf": [_list(value), columns]},
        "instances": _list(value),
    }
    none = {"params": {"type": ["object", "null"], "maxProperties": 0}}
    request = {
        "oneOf": [
            {"type": "object", "properties": {name: schema, **none}, "required": [name], "additionalProperties": False}
            for name, schema in ways.items()
        ]
    }
    answer = bundle.manifest.output_schema or {"type": "object"}
    return _operation(request, _object({"predictions": _array(answer)}), {"dataframe_records": [example_row(bundle)]})


def _answer(bundle: Bundle, kind: AnswerKind | None) -> dict[str, Any]:
    if kind == "text":
        return _array(_object({"generated_text": _TEXT}))
    if kind == "entities":
        entities = bundle.manifest.output_schema["properties"]["entities"]
        return {"anyOf": [entities, _array(entities)]}
    classes = _array(_array(_object({"label": _TEXT, "score": _NUMBER})))
    return {"anyOf": [classes, _array(_NUMBER)]} if kind == "score" and len(bundle.problem.inputs) == 2 else classes


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def example_row(bundle: Bundle) -> dict[str, Any]:
    """A row of the right shape, to start from."""
    properties = bundle.manifest.input_schema.get("properties") or {role: {"type": "string"} for role in bundle.problem.inputs}
    return {name: _example(schema, len(bundle.problem.fields.get(name, ()))) for name, schema in properties.items()}


def _example(schema: dict[str, Any], columns: int) -> Any:
    kind = schema.get("type", "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "array":
        return [_example(schema.get("items", {}), 1)] * max(1, columns)
    return {"string": "some text", "number": 1.0, "boolean": True, "object": {}}.get(kind)


def _row_or_value(bundle: Bundle) -> dict[str, Any]:
    row = bundle.manifest.input_schema or {"type": "object"}
    roles = bundle.problem.inputs
    alone = row.get("properties", {}).get(roles[0], {}) if len(roles) == 1 else {}
    return {"anyOf": [alone, row]} if alone else row


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "maxItems": MOST_INPUTS, "items": items}


def _operation(request: dict[str, Any], answer: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": request, "example": example}}},
        "responses": {
            "200": {"description": "the answer", "content": {"application/json": {"schema": answer}}},
            **{str(s): {"description": why, "content": {"application/json": {"schema": _ERROR}}} for s, why in _REASONS.items()},
        },
    }
