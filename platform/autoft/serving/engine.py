"""Requests wait here for the threads that answer them: a bounded queue in front of the predictors of a server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from autoft.data.table import Table
from autoft.runtime.predictor import Predictor
from autoft.serving.options import QUEUE, TIMEOUT

Answers: TypeAlias = list[dict[str, Any]]

SIDE_BY_SIDE = 2
"""Batches in work at a time at least: one is encoded while the other is in the graph, which may use all threads by itself. Where a
predictor has more sessions, as many."""

_NEWEST = 0.1
"""The weight of the newest batch in the mean time of a row."""


class QueueFullError(Exception):
    """There is no room for the rows of a request; there may be in about `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(eq=False)
class Job:
    """The rows of one request. `future` gets the answers, in order; a job that is `over` waits no more."""

    predictor: Predictor
    inputs: Sequence[Any]
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answers]
    left: int
    rows: Table | None = None
    batches: deque[list[int]] = field(default_factory=deque)
    answers: Answers = field(default_factory=list)
    over: bool = False
    waited: Callable[[float], None] | None = None
    arrived: float = field(default_factory=time.monotonic)

    def plan(self) -> None:
        """Check the rows and part them into batches. Raises DataError."""
        self.rows = self.predictor.asked(self.inputs)
        self.batches = deque(self.predictor.batches(self.rows))
        self.answers = [{}] * len(self.inputs)


class Engine:
    """Answers requests in turn, a batch at a time, so that a request of one row never waits for the whole of one of a thousand.

    `most` rows may wait or be in work; a request that finds none before it is taken whatever its size. Rows of different requests never
    share a batch: on processors it gains little, and answers of formats that round by the batch would depend on other people's rows. A
    request has `timeout` seconds. What nobody waits for any more is dropped before it is computed. Threads start with the first request.
    """

    def __init__(self, *, most: int = QUEUE, timeout: float = TIMEOUT) -> None:
        self.most, self.timeout = most, timeout
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._rows = 0
        self._pace = 0.0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Rows that wait or are in work."""
        return self._rows

    def submit(self, predictor: Predictor, inputs: Sequence[Any], waited: Callable[[float], None] | None = None) -> Job:
        """Put the rows of a request, at least one, in the queue. `waited` hears how many seconds
        they were there before a thread took them. Called in an event loop. Raises QueueFullError."""
        loop = asyncio.get_running_loop()
        with self._changed:
            if self._rows and self._rows + len(inputs) > self.most:
                raise QueueFullError(self._seconds_to_go())
            job = Job(predictor, inputs, time.monotonic() + self.timeout, loop, loop.create_future(), len(inputs), waited=waited)
            job.future.add_done_callback(lambda future: future.cancelled() or future.exception())  # or the log would show it
            self._rows += job.left
            self._jobs.append(job)
            self._staff(max(SIDE_BY_SIDE, predictor.at_once))
            self._changed.notify()
        return job

    def drop(self, job: Job) -> None:
        """Nobody waits for this job any more: what of it is not in work will not be."""
        self._end(job)

    def close(self) -> None:
        """End the threads once nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _staff(self, wanted: int) -> None:
        while len(self._threads) < wanted:
            thread = threading.Thread(target=self._work, name=f"autoft-answers-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _seconds_to_go(self) -> int:
        """Until what waits will be answered, by the pace so far."""
        seconds = self._rows * self._pace / max(1, len(self._threads))
        return max(1, min(math.ceil(seconds), math.ceil(self.timeout)))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._advance(job)
            del job  # a thread that waits must not keep a model in memory that was swapped

    def _next(self) -> Job | None:
        """The next job that somebody waits for; None once the engine is closed."""
        with self._changed:
            while True:
                while not self._jobs:
                    if self._closed:
                        return None
                    self._changed.wait()
                job = self._jobs.popleft()
                if not job.over and time.monotonic() < job.deadline:
                    return job
                self._finish(job, TimeoutError())

    def _advance(self, job: Job) -> None:
        """One batch of the job, which goes to the end of the queue where it has more."""
        try:
            if job.rows is None:
                if job.waited is not None:
                    job.waited(time.monotonic() - job.arrived)
                job.plan()
            assert job.rows is not None
            numbers = job.batches.popleft()
            if job.batches:
                with self._changed:
                    self._jobs.append(job)
                    self._changed.notify()
            started = time.perf_counter()
            found = list(zip(numbers, job.predictor.answer(job.rows, numbers), strict=True))
        except BaseException as error:  # it is raised again where the request is answered
            self._end(job, error)
            return
        self._answered(job, found, time.perf_counter() - started)

    def _answered(self, job: Job, found: Sequence[tuple[int, dict[str, Any]]], seconds: float) -> None:
        each = seconds / len(found)
        with self._changed:
            self._pace = (1 - _NEWEST) * self._pace + _NEWEST * each if self._pace else each
            if job.over:
                return
            for number, answer in found:
                job.answers[number] = answer
            job.left -= len(found)
            self._rows -= len(found)
            if not job.left:
                self._finish(job)

    def _end(self, job: Job, error: BaseException | None = None) -> None:
        with self._changed:
            self._finish(job, error)

    def _finish(self, job: Job, error: BaseException | None = None) -> None:
        """Give back the job's room, and tell whoever waits. Only with the lock."""
        if job.over:
            return
        job.over = True
        self._rows -= job.left
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            job.loop.call_soon_threadsafe(_settle, job, error)


def _settle(job: Job, error: BaseException | None) -> None:
    if job.future.done():
        return
    if error is not None:
        job.future.set_exception(error)
    elif job.left:
        job.future.cancel()
    else:
        job.future.set_result(job.answers)
