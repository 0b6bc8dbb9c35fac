"""The `Searcher` that Ray Tune asks: limits, then the allocator, then the candidate's study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from autoft import hardware
from autoft.interfaces.events import TrialStarted
from autoft.interfaces.model import SHARED
from autoft.interfaces.space import Hyperparameters
from autoft.interfaces.tuner import SearchRequest
from autoft.trial import trial_seed
from autoft_autotune.allocator import Allocator
from autoft_autotune.book import Book, Entry
from autoft_autotune.faults import is_out_of_memory
from autoft_autotune.limits import Limits
from autoft_autotune.proposals import Proposer
from autoft_autotune.resources import Plan
from autoft_autotune.watchdog import allowed_silence
from autoft_autotune.wire import SCORE, TRIAL, TrialOrder, is_outcome, not_pickled, read_result


def promised_speed(plan: Plan) -> float:
    """Floating-point operations a second of one trial, by this machine's."""
    share = plan.gpus / max(1, hardware.gpus()) if plan.gpus else plan.threads / hardware.cores()
    return hardware.training_flops() * share


class CandidateSearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Numbers the trials in the order of asking. Never gives more than `plan.concurrency` at once, so that none is asked for early.

    `failure` tells by Ray's trial id why a trial failed whose worker cannot say so.
    """

    def __init__(
        self, request: SearchRequest, plan: Plan, book: Book, limits: Limits, failure: Callable[[str], str] = lambda _: ""
    ) -> None:
        super().__init__(metric=SCORE, mode="max")
        self._request, self._plan, self._book, self._limits, self._failure = request, plan, book, limits, failure
        named, speed = request.named, promised_speed(plan)
        self._allocator = Allocator(request.candidates, named, clock=limits.clock, slots=plan.concurrency, speed=speed)
        self._proposers = {candidate.name: Proposer(request.spaces[candidate.name]) for candidate in request.candidates}
        self._numbers: set[int] = set()
        self._free = request.first_number
        self._again: list[TrialOrder] = []
        self._without_worker: set[int] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # Ray's annotation leaves FINISHED out
        if self._limits.ended():
            return str(Searcher.FINISHED)
        if len(self._book.live()) >= self._plan.concurrency:
            return None
        order = self._begun_before() or (None if self._is_enough() else self.next_order())
        if order is None:
            # Ray asks no more after this, and one that has not begun may have to be ordered again.
            waiting = any(entry.started is None for _, entry in self._book.live())
            return None if waiting else str(Searcher.FINISHED)
        self._book.open(trial_id, Entry(order.number, order.candidate, dict(order.hyperparameters)))
        return {TRIAL: order.to_json()}

    def _is_enough(self) -> bool:
        return self._request.trials is not None and len(self._numbers) >= self._request.trials

    def next_order(self) -> TrialOrder | None:
        """The next trial, or None when nothing is left that fits."""
        while self._free in self._numbers:
            self._free += 1
        number = self._free
        while (candidate := self._allocator.choose(self._limits.seconds_left())) is not None:
            hyperparameters = self._proposers[candidate.name].ask(number, trial_seed(self._request.seed, number))
            if hyperparameters is not None:
                self._allocator.started(candidate.name)
                self._numbers.add(number)
                return self._order(number, candidate.name, hyperparameters)
            self._allocator.exhaust(candidate.name)
        return None

    def recall(self, event: TrialStarted) -> None:
        """A trial was begun before the run was resumed."""
        self._proposers[event.candidate].recall(event.trial, event.hyperparameters)
        self._allocator.started(event.candidate)
        self._numbers.add(event.trial)

    def again(self, event: TrialStarted) -> None:
        """A trial that was recalled had not ended: it is ordered before any new one, as long as it fits."""
        self._again.append(self._order(event.trial, event.candidate, event.hyperparameters))

    def allowed_silence(self, name: str) -> float:
        """Seconds that a trial of this candidate may say nothing."""
        return allowed_silence(self._request.hang_after, self._allocator.expected_seconds(name))

    def _begun_before(self) -> TrialOrder | None:
        while self._again:
            order = self._again.pop(0)
            if self._allocator.has_time(order.candidate, self._limits.seconds_left()):
                return replace(order, deadline=self._limits.deadline())
        return None

    def _order(self, number: int, name: str, hyperparameters: Hyperparameters) -> TrialOrder:
        return TrialOrder(number, name, hyperparameters, trial_seed(self._request.seed, number), self._limits.deadline())

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        entry = self._book[trial_id]
        progress, seconds = int(result["percent"]), float(result["seconds"])
        report = None if is_outcome(result) else read_result(result).report
        entry.shared_seconds += report.measures.get(SHARED, 0.0) if report else 0.0
        self._allocator.observed(entry.candidate, entry.number, result.get(SCORE), seconds, progress, entry.shared_seconds)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        entry = self._book[trial_id]
        if error and self._lost_its_worker(entry):
            self._again.insert(0, self._order(entry.number, entry.candidate, entry.hyperparameters))
            self._book.withdraw(trial_id)
            return
        if result is not None and is_outcome(result):
            self._book.settle(trial_id, read_result(result).outcome)
        elif error:
            self._book.end(trial_id, "failed", self._failure(trial_id))
        elif result is None:
            self._book.end(trial_id, "stopped", self._limits.ended() or "stopped by the scheduler")
        else:
            self.on_trial_result(trial_id, result)
            self._book.end(trial_id, "stopped", "stopped by the scheduler")
        self._learn(entry)

    def _lost_its_worker(self, entry: Entry) -> bool:
        """A worker that died between two trials, or could not get rid of its last one, is no fault of the next, which has not begun.
        Only once: what ends workers as they start will end the next as well."""
        if entry.started is not None or entry.number in self._without_worker:
            return False
        self._without_worker.add(entry.number)
        return True

    def _learn(self, entry: Entry) -> None:
        key, failed = self._book.key(entry), entry.status == "failed"
        out_of_memory = failed and is_out_of_memory(entry.reason)
        self._proposers[entry.candidate].tell(entry.number, entry.status, key, entry.progress, out_of_memory=out_of_memory)
        self._allocator.ended(entry.candidate, key)
        if failed:
            self._allocator.failed(entry.candidate)
        else:
            self._allocator.observed(entry.candidate, entry.number, key, entry.seconds, entry.progress, entry.shared_seconds)

    def save(self, checkpoint_path: str) -> None:
        """Ray wants a file; a search is resumed from the run's trials, so there is nothing in it."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a search is resumed from the run's trials, not from Ray's state")

    __reduce__ = not_pickled
