"""From the rows of a request to their answers, or to the status that says why there are none."""

from __future__ import annotations

import asyncio
import logging
import traceback
import weakref
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from autoft.errors import DataError
from autoft.runtime.predictor import Predictor, TooLongError
from autoft.serving.engine import Answers, Engine, QueueFullError
from autoft.serving.requests import RequestError

LOG = logging.getLogger("autoft.serving")

LEFT = 499
"""The status of a request whose client is gone, in the log alone."""


class Answering:
    """Answers of one predictor, by the threads of the engine.

    Whoever serves has to hold the predictor: what an application's routes hold is never freed, since FastAPI keeps them in caches.
    """

    def __init__(self, predictor: Predictor, engine: Engine) -> None:
        self._predictor, self._engine = weakref.ref(predictor), engine

    async def __call__(self, rows: list[Any], request: Request, place: Callable[[int], str | None]) -> Answers:
        """One answer a row, in order. `place` tells where in the request a row stands, for errors. The body of the request has been read.

        Raises RequestError: 422 for rows that cannot be answered, 429 where too many wait, 504 after the engine's timeout, 499 where the
        client has left, 500 where the model fails.
        """
        if not rows:
            return []
        predictor = self._predictor()
        assert predictor is not None, "a request that goes on holds its application, and so the predictor"
        try:
            job = self._engine.submit(predictor, rows)
        except QueueFullError as error:
            raise RequestError(
                429, "too many requests wait already; send this one again later", headers={"Retry-After": str(error.seconds)}
            ) from None
        gone = asyncio.ensure_future(_left(request))
        try:
            first: set[asyncio.Future[Any]] = {job.future, gone}
            done, _ = await asyncio.wait(first, timeout=self._engine.timeout, return_when=asyncio.FIRST_COMPLETED)
            if job.future in done:
                return job.future.result()
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


async def _left(request: Request) -> None:
    """Returns once the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_long(error: TooLongError, field: str | None) -> RequestError:
    what = f"{field or 'the row'} is longer than this model reads (at most {error.longest:,} tokens), and this server cuts nothing"
    return RequestError(422, what, field)


def failure(error: Exception) -> RequestError:
    """Status 500. An error's message may quote what was asked: the log holds its kind, and where it arose."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    LOG.error("failed: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
    return RequestError(500, "the model could not answer; the server's log says where")
