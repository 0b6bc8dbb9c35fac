"""From the bytes of a request to rows, with an error that names the field where that cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from starlette.requests import Request

from autoft.interfaces.problem import Problem
from autoft.runtime.predictor import well_formed
from autoft.runtime.schemas import arrays_only, complaint, stands_alone

MOST_INPUTS = 1024
"""Rows of one request."""

MOST_BYTES = 8 * 2**20
"""Of one body."""

BODY_SECONDS = 30.0
"""For a client to send its body."""


class RequestError(Exception):
    """A request that is refused: HTTP status, message, the field at fault where there is one, and headers of the response."""

    def __init__(self, status: int, message: str, field: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, str(well_formed(message)), field and str(well_formed(field))
        self.headers = headers

    def as_json(self) -> dict[str, str]:
        return {"error": self.message} | ({"field": self.field} if self.field else {})


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises RequestError: 408 too slow, 413 too large, 422 malformed."""
    return object_in(await read_body(request))


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is. Raises RequestError, 422."""
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise RequestError(422, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise RequestError(422, f"the body is no JSON: {error}") from None
    if not isinstance(content, dict):
        rows = '; send a list of rows as {"inputs": [...]}' if isinstance(content, list) else ""
        raise RequestError(422, f"the body should be a JSON object, not {_word(content)}{rows}")
    return content


async def read_body(request: Request) -> bytes:
    """The whole body. Raises RequestError: 408 too slow, 413 too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise RequestError(408, f"the body did not arrive within {BODY_SECONDS:.0f} seconds") from None
    return bytes(body)


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MOST_BYTES:,} bytes; send fewer inputs at a time")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def rows_of(body: Mapping[str, Any], problem: Problem, schema: Mapping[str, Any]) -> tuple[list[Any], bool]:
    """The rows of `{"inputs": [...]}`, or the one row that the object itself is; and whether it is one row.

    `schema` is the bundle's schema of a row. Raises RequestError.
    """
    if _is_row(body, problem, schema):
        check_row(body, "", problem, schema)
        return [body], True
    both = [name for name in names_of(problem) if name in body and name != "inputs"]
    if both:
        raise RequestError(422, f"give either inputs or {both[0]}, not both", both[0])
    inputs = body["inputs"]
    if not isinstance(inputs, list):
        raise RequestError(422, f"inputs should be a list, not {_word(inputs)}", "inputs")
    return check_rows(inputs, problem, schema), False


def _is_row(body: Mapping[str, Any], problem: Problem, schema: Mapping[str, Any]) -> bool:
    """Whether the body is a row itself. Where a column is called `inputs`, a list there is a list of rows unless the column
    takes nothing but lists, and it is one that suits."""
    if "inputs" not in body:
        return True
    role = next((role for role in problem.inputs if "inputs" in (role, *problem.fields.get(role, ()))), None)
    if role is None:
        return False
    expected = schema.get("properties", {}).get(role, {})
    return not isinstance(body["inputs"], list) or (arrays_only(expected) and complaint(expected, body["inputs"]) is None)


def check_rows(inputs: Sequence[Any], problem: Problem, schema: Mapping[str, Any], field: str = "inputs") -> list[Any]:
    """The rows, each a text or an object, of the request's `field`. Raises RequestError naming the first that is malformed, or 413
    for too many."""
    if len(inputs) > MOST_INPUTS:
        raise RequestError(413, f"{len(inputs):,} inputs are more than {MOST_INPUTS:,}; send fewer at a time", field)
    for number, row in enumerate(inputs):
        check_row(row, f"{field}.{number}", problem, schema)
    return list(inputs)


def check_row(row: Any, where: str, problem: Problem, schema: Mapping[str, Any]) -> None:
    """One row, which stands at `where` in the request ("" for the body itself): an object that has each input, by its role or by the names
    of its columns, and of its type; or the value alone of a problem's one input. Raises RequestError."""
    if isinstance(row, Mapping):
        _check_fields(row, f"{where}." if where else "", problem, schema)
    elif len(problem.inputs) == 1:
        _check_value(row, where, problem.inputs[0], problem, schema)
    else:
        raise RequestError(422, f"{where} should be an object with {', '.join(problem.inputs)}, not {_word(row)}", where)


def _check_fields(row: Mapping[str, Any], prefix: str, problem: Problem, schema: Mapping[str, Any]) -> None:
    for role in problem.inputs:
        names = problem.fields.get(role, ())
        if role not in row and not (names and all(name in row for name in names)):
            wanted = next((name for name in names if name not in row), role) if any(name in row for name in names) else role
            other = f" (or {names[0]}, its name in the training file)" if wanted == role and names and names != (role,) else ""
            raise RequestError(422, f"{prefix}{wanted}{other} is missing", f"{prefix}{wanted}")
        key = role if role in row else names[0]
        if role in row or len(names) == 1:
            _check_value(row[key], prefix + key, role, problem, schema)


def _check_value(value: Any, where: str, role: str, problem: Problem, schema: Mapping[str, Any]) -> None:
    expected = schema.get("properties", {}).get(role, {})
    if stands_alone(value, role, problem, expected):
        expected = expected.get("items", {})
    reason = complaint(expected, value)
    if reason:
        raise RequestError(422, f"{where} {reason}", where)


def name_in(row: Mapping[str, Any], problem: Problem) -> str | None:
    """What the one input is called in the row; None where the problem has several."""
    return next((name for name in names_of(problem) if name in row), None) if len(problem.inputs) == 1 else None


def names_of(problem: Problem) -> list[str]:
    """What the inputs may be called in a row: their roles, and the names of their columns."""
    return [name for role in problem.inputs for name in (role, *problem.fields.get(role, ()))]


def _word(value: Any) -> str:
    words = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return words.get(type(value), type(value).__name__)
