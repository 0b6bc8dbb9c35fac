"""Ranking before paying: cheap evidence, gathered from some of the training rows, of which sources are worth tuning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoft.catalog import Catalog
from autoft.errors import AutoftError
from autoft.interfaces.events import RankedSource, SourcesRanked, TrialFinished
from autoft.interfaces.model import Candidate, Evidence, FitData, Limits, Ranks
from autoft.journal import Journal
from autoft.progress import figure
from autoft.steps.choose import Choice

TUNED = 2
"""Sources that are tuned, the best of the ranking; all of those that the user named."""
MOST_ROWS, FEWEST_ROWS = 3_000, 300
SHARE = 0.05
"""The part of the search's time that the rows are chosen to take, but for the fewest."""
PATIENCE = 3.0
"""As many times its share the ranking may take, to gather from the fewest rows or where the machine is slower than it seemed."""
STARTING = 5.0
"""Seconds beside it, for libraries and weights to load."""


@dataclass(frozen=True)
class _Asked:
    """A candidate of each source whose model can tell of it."""

    source: str
    candidate: Candidate
    model: Ranks


def rank_sources(
    choice: Choice, catalog: Catalog, data: FitData, limits: Limits, deadline: float | None, journal: Journal
) -> tuple[Choice, SourcesRanked | None]:
    """`choice` with the candidates of the best sources first and those of the worst passed over, and the ranking; unchanged, and None,
    where there are no two sources to compare or the time until `deadline`, the search's, does not carry it.

    A run that goes on keeps the ranking it had, and gets none once its search had begun without.
    """
    told = [event for event in (journal.past.events if journal.past else ()) if isinstance(event, SourcesRanked)]
    if told:
        return _in_order(choice, told[-1]), told[-1]
    asked = _asked(choice.tried, catalog)
    if len(asked) < 2 or journal.stopping or (journal.past is not None and journal.past.searching):
        return choice, None
    seconds = None if deadline is None else max(0.0, deadline - time.time())
    rows = min(len(data.train), _rows(asked, limits, seconds))
    if not rows:
        journal.say("the sources are not ranked before they are tuned: the budget is too small")
        return choice, None
    journal.stage("ranking", f"{len(asked)} sources, {rows} rows")
    ends = None if seconds is None else time.time() + STARTING + PATIENCE * SHARE * seconds

    def stop() -> bool:
        return journal.stopping or (ends is not None and time.time() > ends)

    cpu = time.process_time()
    ranking = _ranked(asked, _sampled(data, rows), limits, stop, journal, len(asked) if choice.named else TUNED)
    journal.busy_seconds += time.process_time() - cpu
    if ranking is None:
        return choice, None
    journal.emit(ranking)
    ranked = _in_order(choice, ranking)
    for candidate in ranked.passed_over[len(choice.passed_over) :]:
        journal.say(f"passed over: {candidate.name}: {candidate.reason}")
    return ranked, ranking


def looked_back(ranking: SourcesRanked | None, candidates: Mapping[str, Candidate], rows: Sequence[TrialFinished]) -> list[dict[str, Any]]:
    """The ranking beside the best validation figure that each source came to, for result.json; None where none did. `rows` are the
    trials, best first."""
    best: dict[str, float] = {}
    for row in rows:
        candidate = candidates.get(row.candidate)
        if candidate and candidate.source and row.value is not None:
            best.setdefault(candidate.source.name, row.value)
    found = ranking.ranking if ranking else ()
    return [{"measure": ranking.measure if ranking else "", **one.model_dump(), "best_value_later": best.get(one.source)} for one in found]


def _asked(tried: Sequence[Candidate], catalog: Catalog) -> list[_Asked]:
    """One a source, the cheap ones first, so that a ranking that takes too long has lost little."""
    found: dict[str, _Asked] = {}
    for candidate in tried:
        model = catalog.model(candidate.model)
        if candidate.source and isinstance(model, Ranks):
            found.setdefault(candidate.source.name, _Asked(candidate.source.name, candidate, model))
    return sorted(found.values(), key=lambda one: one.candidate.forward)


def _rows(asked: Sequence[_Asked], limits: Limits, seconds: float | None) -> int:
    """How many rows the ranking looks at; 0 where even the fewest would take longer than it may."""
    price = sum(one.candidate.forward for one in asked) / limits.flops if limits.flops else 0.0
    if seconds is None or not price:
        return MOST_ROWS
    share = SHARE * seconds / price
    return 0 if PATIENCE * share < FEWEST_ROWS else max(FEWEST_ROWS, min(MOST_ROWS, int(share)))


def _sampled(data: FitData, rows: int) -> FitData:
    """`data` with so many of its training rows, drawn by the problem's seed."""
    drawn = np.random.default_rng(data.problem.seed).permutation(data.train)[:rows]
    return replace(data, train=np.sort(drawn), validation=np.empty(0, dtype=np.int64), folds=())


def _ranked(
    asked: Sequence[_Asked], data: FitData, limits: Limits, stop: Callable[[], bool], journal: Journal, tuned: int
) -> SourcesRanked | None:
    """The best `tuned` are to be tuned. None where fewer than two sources have evidence that can be compared."""
    found: list[tuple[RankedSource, Evidence | None]] = []
    for one in asked:
        started = time.monotonic()
        evidence = _evidence(one, data, limits, stop, journal)
        score = None if evidence is None else evidence.score
        seconds = time.monotonic() - started
        found.append((RankedSource(source=one.source, score=score, rows=len(data.train), seconds=seconds, tuned=True), evidence))
    measures = {evidence.measure for _, evidence in found if evidence}
    scored = sorted((row for row, evidence in found if evidence), key=lambda row: -(row.score or 0.0))
    if len(measures) != 1 or len(scored) < 2:
        return None
    scored[tuned:] = [row.model_copy(update={"tuned": False}) for row in scored[tuned:]]
    return SourcesRanked(measure=measures.pop(), ranking=(*scored, *(row for row, evidence in found if not evidence)))


def _evidence(one: _Asked, data: FitData, limits: Limits, stop: Callable[[], bool], journal: Journal) -> Evidence | None:
    """None, and a word of why, where it cannot be had: a source is then tried all the same."""
    try:
        return one.model.evidence(one.candidate, data, threads=limits.threads, gpus=min(1, limits.gpus), stop=stop)
    except Exception as error:  # whatever a model raises: it costs the ranking of a source, not the run
        reason = error.message if isinstance(error, AutoftError) else f"{type(error).__name__}: {error}"
        journal.say(f"{one.source} has no place in the ranking: {reason}", "info" if stop() else "warning")
        return None


def _in_order(choice: Choice, ranking: SourcesRanked) -> Choice:
    """The candidates without a source first, then the sources as they are ranked."""
    places = {one.source: place for place, one in enumerate(ranking.ranking)}
    reasons = {one.source: _reason(ranking, place) for place, one in enumerate(ranking.ranking) if not one.tuned}

    def place(candidate: Candidate) -> int:
        return -1 if candidate.source is None else places.get(candidate.source.name, len(places))

    tried: list[Candidate] = []
    passed: list[Candidate] = []
    for candidate in sorted(choice.tried, key=place):
        reason = reasons.get(candidate.source.name) if candidate.source else None
        own = replace(candidate, place=places.get(candidate.source.name)) if candidate.source else candidate
        (passed if reason else tried).append(replace(own, proposed=False, reason=reason) if reason else own)
    return replace(choice, tried=tuple(tried), passed_over=(*choice.passed_over, *passed))


def _reason(ranking: SourcesRanked, place: int) -> str:
    scores = [one.score for one in ranking.ranking if one.score is not None]
    return f"ranked {_ordinal(place + 1)} of {len(scores)}: {ranking.measure} {figure(scores[place])}, the first has {figure(scores[0])}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
