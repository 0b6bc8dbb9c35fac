"""A bundle as the routes see it: what it is called, what it takes, and one function that answers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from starlette.requests import Request

from autoft.interfaces.problem import Problem
from autoft.runtime.predictor import Predictor
from autoft.runtime.schemas import AnswerKind, answer_kind

Answer: TypeAlias = dict[str, Any]
Listener: TypeAlias = Callable[[Sequence[Any], Sequence[Answer]], None]
"""Hears rows and their answers, in the event loop: it has to be quick, and must not wait."""


class Answers(Protocol):
    """From checked rows to one answer a row, in order. `place` tells where in the request a row stands. Raises RequestError."""

    async def __call__(self, rows: list[Any], request: Request, place: Callable[[int], str | None]) -> list[Answer]: ...


class Endpoint:
    """A predictor under a name.

    It does not hold the predictor, and routes must not: what they hold is never freed, since FastAPI keeps them in caches. Whoever serves
    holds it.
    """

    def __init__(self, name: str, predictor: Predictor, answers: Answers) -> None:
        self.name, self.answers, self.bundle = name, answers, predictor.bundle
        self._predictor = weakref.ref(predictor)

    @property
    def predictor(self) -> Predictor:
        found = self._predictor()
        assert found is not None, "a request that goes on holds its application, and so the predictor"
        return found

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
