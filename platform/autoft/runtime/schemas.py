"""JSON Schemas of what goes in and comes out, taken from examples: the core does not know what a task speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from autoft.data.table import Table
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import DescribesInputs, Task

_MANY_KEYS = 256

AnswerKind: TypeAlias = Literal["classes", "labels", "score", "entities", "text"]
"""One class of several, any number of labels, a number, spans of the input, a text."""


def answer_kind(output_schema: Mapping[str, Any]) -> AnswerKind | None:
    """By the names of an answer's fields, never by the name of a task; None for any other."""
    names = output_schema.get("properties", {})
    if "entities" in names:
        return "entities"
    if "scores" in names and "labels" in names:
        return "labels"
    if "score" in names:
        return "classes" if "label" in names else "score"
    return "text" if "text" in names else None


def schema_of(examples: Sequence[Any]) -> dict[str, Any]:
    """The narrowest schema that holds for all examples, in the words of JSON Schema; {} where they have nothing in common."""
    values = [value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value for value in examples]
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present}
    if len(kinds) != 1:
        return {}
    kind = kinds.pop()
    schema: dict[str, Any] = {"type": kind if len(present) == len(values) else [kind, "null"]}
    if kind == "array":
        items = [item for value in present for item in value]
        schema["items"] = schema_of(items) if items else {}
    elif kind == "object":
        schema |= _object(present)
    return schema


def _object(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for value in values for key in value))
    if len(keys) > _MANY_KEYS:
        return {"additionalProperties": schema_of([item for value in values for item in value.values()])}
    return {
        "properties": {key: schema_of([value[key] for value in values if key in value]) for key in keys},
        "required": [key for key in keys if all(key in value for value in values)],
    }


def input_schema(problem: Problem, rows: Table, task: Task | None = None) -> dict[str, Any]:
    """The schema of one row of a request, from rows as `Task.inputs` gives them, and what `task` says beyond them."""
    properties: dict[str, Any] = dict(task.input_schemas(problem)) if isinstance(task, DescribesInputs) else {}
    for role in problem.inputs:
        if role in properties:
            continue
        names = (role,) if role in rows or role not in problem.fields else problem.fields[role]
        properties |= {name: schema_of(list(rows[name])) if name in rows else {} for name in names}
    return {"type": "object", "properties": properties, "required": list(properties)}


def complaint(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why `value` is not of the schema's type, in words; None if it is. Looks at `type` and at the items of an array."""
    kinds = _kinds(schema)
    kind = "null" if value is None else _kind(value)
    if kinds and kind not in kinds:
        wanted = " or ".join(_WORDS.get(one, one) for one in kinds if one != "null" or kinds == ["null"])
        return f"should be {wanted}, not {_WORDS.get(kind, kind)}"
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for number, item in enumerate(value):
            reason = complaint(schema["items"], item)
            if reason:
                return f"item {number} {reason}"
    return None


def stands_alone(value: Any, role: str, problem: Problem, schema: Mapping[str, Any]) -> bool:
    """Whether `value` is the one item of an array: the role takes nothing but arrays, and learned them from a single column."""
    return arrays_only(schema) and len(problem.fields.get(role, ())) == 1 and isinstance(value, str | int | float)


def arrays_only(schema: Mapping[str, Any]) -> bool:
    """Whether a value has to be a list (or absent)."""
    kinds = _kinds(schema)
    return "array" in kinds and set(kinds) <= {"array", "null"}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema allows; none where it allows any."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


_WORDS = {"string": "a text", "number": "a number", "boolean": "true or false", "array": "a list", "object": "an object", "null": "null"}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"
