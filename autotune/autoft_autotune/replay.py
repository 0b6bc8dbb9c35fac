"""A resumed search: what was told before brings studies, rungs and allocator to where they were, by the very calls that Ray makes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from autoft.interfaces.events import TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.problem import Metric
from autoft.interfaces.tuner import Past
from autoft.trial import TrialOutcome
from autoft_autotune.book import Book, Entry
from autoft_autotune.searcher import CandidateSearcher
from autoft_autotune.stopping import CandidateHalving
from autoft_autotune.wire import outcome_result, report_result


def replay(history: Sequence[Past], metric: Metric, book: Book, searcher: CandidateSearcher, scheduler: CandidateHalving) -> None:
    """Take in `history`, see `SearchRequest`; the book tells nothing of it. Trials without an end are ordered again first of all."""
    told = _Teller(metric, book, searcher, scheduler)
    for event in history:
        if isinstance(event, TrialStarted):
            told.start(event)
        elif isinstance(event, TrialReported):
            told.report(event)
        else:
            told.end(event)
    told.close()


class _Teller:
    def __init__(self, metric: Metric, book: Book, searcher: CandidateSearcher, scheduler: CandidateHalving) -> None:
        self._metric, self._book, self._searcher, self._scheduler = metric, book, searcher, scheduler
        self._open: dict[int, TrialStarted] = {}

    def start(self, event: TrialStarted) -> None:
        self._open[event.trial] = event
        entry = Entry(event.trial, event.candidate, dict(event.hyperparameters), started=event.time)
        self._book.open(_id(event.trial), entry)
        self._scheduler.take_up(event.candidate, _trial(event.trial))
        self._searcher.recall(event)

    def report(self, event: TrialReported) -> None:
        result = report_result(event, self._key(event.metrics.get(self._metric.name)), event.time - self._open[event.trial].time, 0.0)
        self._scheduler.on_trial_result(None, _trial(event.trial), result)
        self._searcher.on_trial_result(_id(event.trial), result)

    def end(self, event: TrialFinished) -> None:
        del self._open[event.trial]
        result = outcome_result(TrialOutcome.of(event), self._key(event.value))
        self._scheduler.forget(_trial(event.trial))
        self._searcher.on_trial_complete(_id(event.trial), result)
        self._book.close(_id(event.trial))

    def close(self) -> None:
        for number, event in sorted(self._open.items()):
            self._scheduler.forget(_trial(number))
            self._book.withdraw(_id(number))
            self._searcher.again(event)

    def _key(self, value: float | None) -> float | None:
        return None if value is None else self._metric.key(value)


def _id(number: int) -> str:
    """In place of Ray's, which are not kept."""
    return f"past-{number}"


def _trial(number: int) -> Any:
    """All that the scheduler asks of a trial of Ray's is its id."""
    return SimpleNamespace(trial_id=_id(number))
