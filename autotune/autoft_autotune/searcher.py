"""The `Searcher` that Ray Tune asks: limits, then the allocator, then the candidate's study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from autoft.interfaces.tuner import SearchRequest
from autoft.trial import trial_seed
from autoft_autotune.allocator import Allocator
from autoft_autotune.book import Book, Entry
from autoft_autotune.limits import Limits
from autoft_autotune.proposals import Proposer
from autoft_autotune.resources import Plan
from autoft_autotune.wire import SCORE, TRIAL, TrialOrder, is_outcome, not_pickled, read_result


class CandidateSearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Numbers the trials in the order of asking. Never gives more than `plan.concurrency` at once, so that none is asked for early."""

    def __init__(self, request: SearchRequest, plan: Plan, book: Book, limits: Limits) -> None:
        super().__init__(metric=SCORE, mode="max")
        self._request, self._plan, self._book, self._limits = request, plan, book, limits
        self._allocator = Allocator(request.candidates, request.named, clock=limits.clock, slots=plan.concurrency)
        self._proposers = {candidate.name: Proposer(request.spaces[candidate.name]) for candidate in request.candidates}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # Ray's annotation leaves FINISHED out
        if self._limits.ended() or (self._request.trials is not None and len(self._book) >= self._request.trials):
            return str(Searcher.FINISHED)
        if len(self._book.live()) >= self._plan.concurrency:
            return None
        order = self.next_order()
        if order is None:
            return str(Searcher.FINISHED)
        self._book.open(trial_id, Entry(order.number, order.candidate, dict(order.hyperparameters)))
        return {TRIAL: order.to_json()}

    def next_order(self) -> TrialOrder | None:
        """The next trial, or None when nothing is left that fits."""
        number = self._request.first_number + len(self._book)
        seed = trial_seed(self._request.seed, number)
        while (candidate := self._allocator.choose(self._limits.seconds_left())) is not None:
            hyperparameters = self._proposers[candidate.name].ask(number, seed)
            if hyperparameters is not None:
                self._allocator.started(candidate.name)
                return TrialOrder(number, candidate.name, hyperparameters, seed, self._limits.deadline())
            self._allocator.exhaust(candidate.name)
        return None

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        entry = self._book[trial_id]
        progress, seconds = int(result["percent"]), float(result["seconds"])
        self._allocator.observed(entry.candidate, entry.number, result.get(SCORE), seconds, progress)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        entry = self._book[trial_id]
        if result is not None and is_outcome(result):
            self._book.settle(trial_id, read_result(result).outcome)
        elif error:
            self._book.end(trial_id, "failed", "")
        elif result is None:
            self._book.end(trial_id, "stopped", self._limits.ended() or "stopped by the scheduler")
        else:
            self.on_trial_result(trial_id, result)
            self._book.end(trial_id, "stopped", "stopped by the scheduler")
        key = self._book.key(entry)
        self._proposers[entry.candidate].tell(entry.number, entry.status, key, entry.progress)
        self._allocator.ended(entry.candidate, key)
        if entry.status == "failed":
            self._allocator.failed(entry.candidate)
        else:
            self._allocator.observed(entry.candidate, entry.number, key, entry.seconds, entry.progress)

    def save(self, checkpoint_path: str) -> None:
        """Ray wants a file; a search is resumed from the run's trials, so there is nothing in it."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a search is resumed from the run's trials, not from Ray's state")

    __reduce__ = not_pickled
