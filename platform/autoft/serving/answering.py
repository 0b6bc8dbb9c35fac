"""From the rows of a request to their answers, or to the status that says why there are none."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request

from autoft.errors import DataError
from autoft.runtime.predictor import Predictor, TooLongError
from autoft.serving.endpoint import Answer, Listener
from autoft.serving.engine import Engine, QueueFullError, Trace
from autoft.serving.replies import failure
from autoft.serving.requests import RequestError

LEFT = 499
"""The status of a request whose client is gone, in the log alone."""


class Answering:
    """Answers of one predictor, by the threads of the engine. `listeners` hear of them, `waited` how many seconds each request's rows
    waited for a thread; `traced` makes what hears of the rows of a request, by their number.

    Whoever serves has to hold the predictor, since routes must not: see `Endpoint`.
    """

    def __init__(
        self,
        predictor: Predictor,
        engine: Engine,
        listeners: Sequence[Listener] = (),
        waited: Callable[[float], None] | None = None,
        traced: Callable[[int], Trace] | None = None,
    ) -> None:
        self._predictor, self._engine = weakref.ref(predictor), engine
        self._listeners, self._waited, self._traced = listeners, waited, traced

    async def __call__(self, rows: list[Any], request: Request, place: Callable[[int], str | None]) -> list[Answer]:
        """One answer a row, in order. `place` tells where in the request a row stands, for errors. The body of the request has been read.

        Raises RequestError: 422 for rows that cannot be answered, 429 where too many wait, 504 after the engine's timeout, 499 where the
        client has left, 500 where the model fails.
        """
        if not rows:
            return []
        predictor = self._predictor()
        assert predictor is not None, "a request that goes on holds its application, and so the predictor"
        try:
            job = self._engine.submit(predictor, rows, self._waited, None if self._traced is None else self._traced(len(rows)))
        except QueueFullError as error:
            raise RequestError(
                429, "too many requests wait already; send this one again later", headers={"Retry-After": str(error.seconds)}
            ) from None
        gone = asyncio.ensure_future(_left(request))
        try:
            first: set[asyncio.Future[Any]] = {job.future, gone}
            done, _ = await asyncio.wait(first, timeout=self._engine.timeout, return_when=asyncio.FIRST_COMPLETED)
            if job.future in done:
                return self._heard(rows, job.future.result())
            if gone in done:
                raise RequestError(LEFT, "the client is gone")
            raise TimeoutError
        except TimeoutError:
            raise RequestError(504, f"there was no answer within {self._engine.timeout:g} seconds") from None
        except TooLongError as error:
            raise _too_long(error, place(error.row)) from None
        except DataError as error:
            raise RequestError(422, error.message) from None
        except RequestError:
            raise
        except Exception as error:
            raise failure(error) from None
        finally:
            gone.cancel()
            self._engine.drop(job)

    def _heard(self, rows: list[Any], answers: list[Answer]) -> list[Answer]:
        for listener in self._listeners:
            listener(rows, answers)
        return answers


async def _left(request: Request) -> None:
    """Returns once the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_long(error: TooLongError, field: str | None) -> RequestError:
    what = f"{field or 'the row'} is longer than this model reads (at most {error.longest:,} tokens), and this server cuts nothing"
    return RequestError(422, what, field)
