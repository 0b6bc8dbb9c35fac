"""Requests wait here for the threads that answer them: a bounded queue in front of the predictors of a server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from autoft.data.table import Table
from autoft.runtime.predictor import Predictor
from autoft.serving.filling import Filling, Waiting, longest_first, stacked
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


class Trace(Protocol):
    """Hears how the rows of a request fare, in the thread that is in work on them."""

    def waited(self) -> None:
        """A thread has taken them, or nobody waits for them any more. It may be called again."""
        ...

    def batch(self, rows: int) -> AbstractContextManager[object]:
        """Entered around the work on a batch of so many rows, of this request and maybe of others."""
        ...


@dataclass(eq=False)
class Job:
    """The rows of one request. `future` gets the answers, in order; a job that is `over` waits no more. What is not in work yet are
    `batches`, or, where the predictor has a budget of tokens, rows that are `waiting`."""

    predictor: Predictor
    inputs: Sequence[Any]
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answers]
    left: int
    rows: Table | None = None
    batches: deque[list[int]] = field(default_factory=deque)
    waiting: Waiting = field(default_factory=deque)
    answers: Answers = field(default_factory=list)
    over: bool = False
    waited: Callable[[float], None] | None = None
    trace: Trace | None = None
    arrived: float = field(default_factory=time.monotonic)

    @property
    def more(self) -> bool:
        """Whether there are rows that are not in work."""
        return bool(self.batches or self.waiting)

    def begin(self) -> Table:
        """The rows; the first time they are checked and parted into batches, or their tokens counted. Raises DataError."""
        if self.rows is None:
            if self.waited is not None:
                self.waited(time.monotonic() - self.arrived)
            if self.trace is not None:
                self.trace.waited()
            rows = self.predictor.asked(self.inputs)
            if self.predictor.budget is None:
                self.batches = deque(self.predictor.batches(rows))
            else:
                self.waiting = longest_first(self.predictor.tokens(rows))
            self.answers = [{}] * len(self.inputs)
            self.rows = rows
        return self.rows


@dataclass(frozen=True)
class _Share:
    """Rows of a request that are in a batch: their numbers."""

    job: Job
    rows: Table
    numbers: list[int]


class Engine:
    """Answers requests in turn, a batch at a time, so that a request of one row never waits for the whole of one of a thousand.

    `most` rows may wait or be in work; a request that finds none before it is taken whatever its size. Rows of different requests
    share a batch only where the predictor has a budget of tokens: on processors it gains little, and answers of formats that round by the
    batch would depend on other people's rows. Such a batch is filled in the order of the queue; it waits for nobody. A request has
    `timeout` seconds. What nobody waits for any more is dropped before it is computed. Threads start with the first request.
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

    def submit(
        self, predictor: Predictor, inputs: Sequence[Any], waited: Callable[[float], None] | None = None, trace: Trace | None = None
    ) -> Job:
        """Put the rows of a request, at least one, in the queue. `waited` hears how many seconds they were there before a thread took
        them, and `trace` of all that is done. Called in an event loop. Raises QueueFullError."""
        loop = asyncio.get_running_loop()
        with self._changed:
            if self._rows and self._rows + len(inputs) > self.most:
                raise QueueFullError(self._seconds_to_go())
            until = time.monotonic() + self.timeout
            job = Job(predictor, inputs, until, loop, loop.create_future(), len(inputs), waited=waited, trace=trace)
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
                if self._wanted(job):
                    return job

    def _wanted(self, job: Job) -> bool:
        """Whether somebody waits for it; it is over where its time is. Only with the lock."""
        if not job.over and time.monotonic() < job.deadline:
            return True
        self._finish(job, TimeoutError())
        return False

    def _advance(self, job: Job) -> None:
        """One batch of the job, which goes to the end of the queue where it has more."""
        rows = self._begun(job)
        if rows is None:
            return
        budget = job.predictor.budget
        if budget is None:
            shares = [_Share(job, rows, job.batches.popleft())]
            self._put_back(job)
        else:
            shares = self._together(job, rows, Filling(budget))
        self._answer(job.predictor, shares)

    def _begun(self, job: Job) -> Table | None:
        """The rows; None where they cannot be answered, which ends the job."""
        try:
            return job.begin()
        except BaseException as error:  # it is raised again where the request is answered
            self._end(job, error)
            return None

    def _put_back(self, job: Job) -> None:
        """To the end of the queue, where there is more to do."""
        if job.more:
            with self._changed:
                self._jobs.append(job)
                self._changed.notify()

    def _together(self, job: Job, rows: Table, filling: Filling) -> list[_Share]:
        """Rows of the job and of those behind it, until the batch is full. A job whose next row does not fit stays where it was."""
        shares = [_Share(job, rows, filling.take(job.waiting))]
        full = job.more
        self._put_back(job)
        while not full and (other := self._next_beside(job.predictor)) is not None:
            more = self._begun(other)
            if more is None:
                continue
            numbers = filling.take(other.waiting) if more.names == rows.names else []
            full = other.more
            if numbers:
                shares.append(_Share(other, more, numbers))
                self._put_back(other)
            else:
                with self._changed:
                    self._jobs.appendleft(other)
                    self._changed.notify()
        return shares

    def _next_beside(self, predictor: Predictor) -> Job | None:
        """The first that waits for this predictor, if any."""
        with self._changed:
            while (job := next((one for one in self._jobs if one.predictor is predictor), None)) is not None:
                self._jobs.remove(job)
                if self._wanted(job):
                    return job
        return None

    def _answer(self, predictor: Predictor, shares: Sequence[_Share]) -> None:
        """One batch. Where one of several requests makes it fail, each is answered by itself."""
        started = time.perf_counter()
        try:
            answers = iter(_answers(predictor, shares))
        except BaseException as error:  # it is raised again where the request is answered
            if len(shares) == 1:
                self._end(shares[0].job, error)
                return
            answers = None
        if answers is None:
            for share in shares:
                self._answer(predictor, [share])
            return
        each = (time.perf_counter() - started) / sum(len(share.numbers) for share in shares)
        for share in shares:
            self._answered(share.job, [(number, next(answers)) for number in share.numbers], each)

    def _answered(self, job: Job, found: Sequence[tuple[int, dict[str, Any]]], each: float) -> None:
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
        if job.trace is not None:
            job.trace.waited()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            job.loop.call_soon_threadsafe(_settle, job, error)


def _answers(predictor: Predictor, shares: Sequence[_Share]) -> Answers:
    """One answer a row, in order."""
    count = sum(len(share.numbers) for share in shares)
    with contextlib.ExitStack() as spans:
        for share in reversed(shares):  # the innermost span, which holds those of the work, is the first one's
            if share.job.trace is not None:
                spans.enter_context(share.job.trace.batch(count))
        if len(shares) == 1:
            found = predictor.answer(shares[0].rows, shares[0].numbers)
        else:
            found = predictor.answer(stacked([(share.rows, share.numbers) for share in shares]), range(count))
    if len(found) != count:
        raise ValueError(f"{len(found)} answers to {count} rows")
    return found


def _settle(job: Job, error: BaseException | None) -> None:
    if job.future.done():
        return
    if error is not None:
        job.future.set_exception(error)
    elif job.left:
        job.future.cancel()
    else:
        job.future.set_result(job.answers)
