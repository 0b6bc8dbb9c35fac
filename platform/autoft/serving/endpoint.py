"""A bundle as the routes see it: what it is called, what it takes, and one function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from starlette.requests import Request

from autoft.interfaces.problem import Problem
from autoft.runtime.bundle import Bundle
from autoft.runtime.schemas import AnswerKind, answer_kind

Answer: TypeAlias = dict[str, Any]
Listener: TypeAlias = Callable[[Sequence[Any], Sequence[Answer]], None]
"""Hears rows and their answers, in the event loop: it has to be quick, and must not wait."""


class Answers(Protocol):
    """From checked rows to one answer a row, in order. `place` tells where in the request a row stands. Raises RequestError."""

    async def __call__(self, rows: list[Any], request: Request, place: Callable[[int], str | None]) -> list[Answer]: ...


@dataclass(frozen=True)
class Endpoint:
    """A bundle under a name. Routes hold this and no predictor: what they hold is never freed, since FastAPI keeps them in caches."""

    name: str
    bundle: Bundle
    answers: Answers

    @property
    def problem(self) -> Problem:
        return self.bundle.problem

    @property
    def schema(self) -> Mapping[str, Any]:
        """Of one row of a request."""
        return self.bundle.manifest.input_schema

    @property
    def kind(self) -> AnswerKind | None:
        """What an answer holds."""
        return answer_kind(self.bundle.manifest.output_schema)
