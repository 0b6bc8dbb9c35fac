"""A model as the routes see it: what it is called, what it takes, and one function that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import anyio
import anyio.to_thread

from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft.runtime.bundle import Bundle
from autoft.runtime.predictor import Predictor
from autoft.runtime.schemas import AnswerKind, answer_kind
from autoft.serving.replies import failure
from autoft.serving.requests import RequestError

Answer: TypeAlias = dict[str, Any]
Answers: TypeAlias = Callable[[list[Any]], Awaitable[list[Answer]]]
"""From checked rows to one answer a row, in order. Raises RequestError: 422 for what the task refuses, 500 for a failure."""
Listener: TypeAlias = Callable[[Sequence[Any], Sequence[Answer]], None]
"""Hears rows and their answers, in the event loop: it has to be quick, and must not wait."""

SIDE_BY_SIDE = 2
"""Requests answered at a time at least: one encodes while the other is in the graph, which may use all threads by itself. Where the
predictor has more batches in work, as many."""


@dataclass
class Served:
    """A predictor under a name. Its routes begin with `prefix`, which is empty or begins with a slash and does not end with one.

    They read `predictor` at every request, so that another may take its place.
    """

    name: str
    predictor: Predictor
    answers: Answers
    prefix: str = ""

    @property
    def bundle(self) -> Bundle:
        return self.predictor.bundle

    @property
    def problem(self) -> Problem:
        return self.predictor.problem

    @property
    def schema(self) -> Mapping[str, Any]:
        """Of one row of a request."""
        return self.bundle.manifest.input_schema

    @property
    def kind(self) -> AnswerKind | None:
        """What an answer holds."""
        return answer_kind(self.bundle.manifest.output_schema)


def answers_of(predictor: Predictor) -> Answers:
    """Answers off the event loop, a request at a time in each of a few threads."""
    limiter = anyio.CapacityLimiter(max(SIDE_BY_SIDE, predictor.at_once))

    async def answers(rows: list[Any]) -> list[Answer]:
        try:
            return await anyio.to_thread.run_sync(predictor.predict, rows, limiter=limiter)
        except DataError as error:
            raise RequestError(422, error.message) from None
        except Exception as error:
            raise failure(error) from None

    return answers


def heard(answers: Answers, *listeners: Listener) -> Answers:
    """The same answers, of which `listeners` hear."""

    async def found(rows: list[Any]) -> list[Answer]:
        given = await answers(rows)
        for listener in listeners:
            listener(rows, given)
        return given

    return found
