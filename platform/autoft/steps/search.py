"""The baseline, then the tuner's search."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from autoft import hardware
from autoft.catalog import Catalog
from autoft.data.table import Rows
from autoft.errors import AutoftError, SettingsError
from autoft.interfaces.events import Event, TrialFinished, TrialStarted
from autoft.interfaces.model import Candidate, FitData, Limits, Peaks, TrialSpec
from autoft.interfaces.space import Space
from autoft.interfaces.task import Decoder
from autoft.interfaces.tuner import Prepares, Reaches, SearchRequest, Tuner
from autoft.journal import Journal
from autoft.settings import Settings
from autoft.steps.chance import standard_error
from autoft.steps.choose import Choice
from autoft.steps.clock import Clock
from autoft.steps.earlier import Points, begun_with
from autoft.steps.formats import in_order
from autoft.steps.here import trial_here
from autoft.steps.preload import import_libraries, preloading
from autoft.steps.understand import Understood
from autoft.trial import trial_seed

LEAST_SECONDS = 60.0
"""Of a search, from which on what the machine can do at best is measured: that takes a second or two, mostly of imports."""

LEAST_SEARCH = 10.0
"""Seconds to its end, for which a search is prepared: with fewer it may not begin."""

LEFT = "it was cut off with its run, and was not begun again"


def fit_baseline(
    settings: Settings,
    catalog: Catalog,
    understood: Understood,
    data: FitData,
    limits: Limits,
    journal: Journal,
    deadline: float | None,
) -> Candidate | None:
    """Fit `linear` in this process, where the task has it: the cheap candidate every result is held against.

    None where there is none, and where it is stopped before it has learned, at `deadline` or by the user: then results are held against
    an answer that ignores its input.
    """
    problem = understood.problem
    model = catalog.models.get("linear")
    found = model.candidates(problem, [], limits, data.rows.take(data.train[:500])) if model else []
    if journal.past is not None and journal.past.baselined:
        return found[0] if any(_counts(row) for row in journal.leaderboard if row.stage == "baselines") else None
    journal.stage("baselines")
    constant = understood.task.constant(problem, understood.targets[data.train], len(data.validation))
    decided = understood.task.decide(problem, Decoder(), constant)
    figure = understood.task.score(problem, understood.targets[data.validation], decided)[problem.metric.name]
    journal.say(f"an answer that ignores its input scores {problem.metric.name} {figure:.3f} on the validation rows")
    if not model or not found:
        return None
    candidate, number = found[0], 1
    space = model.space(candidate, problem, len(data.train))
    spec = TrialSpec(number, candidate, space.default, trial_seed(settings.seed, number), limits.threads)
    row = trial_here(spec, data, model, understood.task, journal, "baselines", deadline, fixed_horizon=True, verbose=settings.verbose)
    if not _counts(row):
        journal.say(f"the baseline {candidate.name} was not finished: {row.reason}", "warning")
        return None
    return candidate


def _counts(row: TrialFinished) -> bool:
    """Whether a baseline is one that results may be held against."""
    return row.status != "stopped" or row.value is not None


def search(
    settings: Settings,
    catalog: Catalog,
    choice: Choice,
    clock: Clock,
    journal: Journal,
    data: FitData,
    baseline: Candidate | None,
    deadline: float | None,
    slots: int | None,
    earlier: Points,
    later: Callable[[], float | None],
    ready: Callable[[], None],
    part: Rows | None = None,
) -> None:
    """Hand the candidates to the tuner once it is `ready`, `slots` at a time, until `deadline`, which `later` may put off; `earlier` points
    come first. With `part` trials learn from these of the training rows alone. In a resumed run the tuner goes on from what was told
    before, unless its search had ended."""
    past = journal.past
    if journal.stopping or (past is not None and past.searched):
        return
    history = past.of_search() if past else ()
    spaces = {c.name: catalog.model(c.model).space(c, data.problem, len(data.train)) for c in choice.tried}
    tried: tuple[TrialFinished, ...] = ()
    if baseline and baseline.name in spaces and part is None:  # else it learned from other rows than the trials do
        tried = tuple(row for row in journal.leaderboard if row.stage == "baselines")
        spaces[baseline.name] = _without_default(spaces[baseline.name])
    spaces = begun_with(spaces, earlier, journal.say)
    stage = _Stage(journal, spaces, history)
    if deadline is not None and deadline <= time.time():
        journal.say("the budget leaves no time to search" + ("" if history else ": the baseline is what there is"), "warning")
        journal.end_left_over(LEFT)
        return
    plateau = _Plateau(journal, len(choice.tried), len(data.validation)) if clock.plateau else None
    for event in history:
        if plateau and isinstance(event, TrialFinished):
            plateau.see(event)
    if not settings.ray_address and _worth_measuring(deadline):
        import_libraries([catalog.model(name) for name in _models(choice)])
    ready()
    candidates = choice.tried
    if part is not None:
        candidates = tuple(replace(c, flops=c.flops * len(part) / len(data.train)) for c in candidates)
        data = replace(data, train=part)
    request = SearchRequest(
        data=data,
        candidates=candidates,
        spaces=spaces,
        named=choice.named,
        folder=journal.folder.resolve(),
        plugin_files=catalog.plugin_files,
        seed=settings.seed,
        deadline=deadline,
        trials=settings.trials,
        gpu_hours=settings.gpu_hours,
        concurrency=slots,
        stop_file=journal.search_stop_file.resolve(),
        first_number=1 + sum(row.stage == "baselines" for row in journal.leaderboard),
        verbose=settings.verbose,
        later=later,
        history=history,
        hang_after=settings.hang_after,
        # Those of a cluster's nodes are not this machine's.
        peaks={} if settings.ray_address else measured_peaks(choice, catalog, deadline, journal),
        ray_address=settings.ray_address,
        keeps=journal.keeps,
        tried=tried,
    )

    def hear(event: Event) -> None:
        if isinstance(event, TrialStarted):
            preload()
        if part is not None and isinstance(event, TrialFinished):
            event = event.model_copy(update={"rows": len(part)})
        stage.see(event)
        journal.emit(event)
        if plateau and isinstance(event, TrialFinished):
            plateau.see(event)

    with preloading([catalog.exporter(name) for name in in_order([settings.exporter], catalog)]) as preload:
        catalog.tuner(settings.tuner).search(request, hear)
    journal.end_left_over(LEFT)


def measured_peaks(choice: Choice, catalog: Catalog, deadline: float | None, journal: Journal) -> dict[str, float]:
    """See `SearchRequest.peaks`: measured before the first trial, since beside one it would be too low; empty where the search is too short
    to spend a second on it."""
    if not _worth_measuring(deadline):
        return {}
    threads, gpus = hardware.cores(), min(1, hardware.gpus())
    found: dict[str, float] = {}
    for name in _models(choice):
        model = catalog.model(name)
        if isinstance(model, Peaks):
            try:
                found[name] = model.peak_flops(threads=threads, gpus=gpus) / (1 if gpus else threads)
            except Exception as error:  # whatever a model raises: it costs a figure, not the run
                reason = error.message if isinstance(error, AutoftError) else f"{type(error).__name__}: {error}"
                journal.say(f"the utilisation of trials of {name} is not told: its peak was not measured: {reason}", "warning")
    return found


def _worth_measuring(deadline: float | None) -> bool:
    return deadline is None or deadline - time.time() >= LEAST_SECONDS


def _models(choice: Choice) -> list[str]:
    return list(dict.fromkeys(candidate.model for candidate in choice.tried))


def preparing(
    settings: Settings, catalog: Catalog, choice: Choice, clock: Clock, journal: Journal
) -> AbstractContextManager[Callable[[], None]]:
    """What the tuner can do before its search while this lasts."""
    deadline = clock.searching(choice.tried)
    tuner = catalog.tuner(settings.tuner)
    over = journal.past is not None and journal.past.searched
    soon = deadline is None or deadline - time.time() > LEAST_SEARCH
    if isinstance(tuner, Prepares) and settings.ray_address is None and soon and not over and not journal.stopping:
        slots = settings.concurrency or clock.side_by_side(choice.tried, deadline)
        return tuner.prepare(slots, _models(choice), verbose=settings.verbose)
    return nullcontext(lambda: None)


def reach(tuner: Tuner, address: str | None) -> None:
    """Raises SettingsError where the trials are to run on a cluster, and cannot."""
    if address is None:
        return
    if not isinstance(tuner, Reaches):
        raise SettingsError(f"--ray-address: the tuner {tuner.name!r} does not search on a Ray cluster", hint="--tuner ray")
    tuner.reach(address)


def _without_default(space: Space) -> Space:
    """The baseline has already tried the default."""
    return replace(space, default=space.first[0], first=space.first[1:]) if space.first else space


class _Stage:
    """ "first points", until a trial starts that is none of those: from there on "search"."""

    def __init__(self, journal: Journal, spaces: Mapping[str, Space], history: Sequence[Event]) -> None:
        self._journal = journal
        self._first = {name: (space.default, *space.first) for name, space in spaces.items()}
        self._searching = any(map(self._is_proposed, history))
        journal.stage("search" if self._searching else "first points")

    def see(self, event: Event) -> None:
        """Before it is told."""
        if not self._searching and self._is_proposed(event):
            self._searching = True
            self._journal.stage("search")

    def _is_proposed(self, event: Event) -> bool:
        return isinstance(event, TrialStarted) and event.hyperparameters not in self._first.get(event.candidate, ())


class _Plateau:
    """Ends a run without a budget once many trials in a row have not bettered the best by more than half a standard error."""

    def __init__(self, journal: Journal, candidates: int, rows: int) -> None:
        self._journal, self._rows = journal, rows
        self._patience = max(8, 3 * candidates)
        self._best, self._since = float("-inf"), 0

    def see(self, row: TrialFinished) -> None:
        key = self._journal.leaderboard.metric.key(row.value) if row.value is not None else float("-inf")
        self._since += 1
        if key > self._best + 0.5 * standard_error(self._journal.leaderboard.metric, key, self._rows):
            self._since = 0
        self._best = max(self._best, key)
        if self._since >= self._patience:
            self._journal.stop_search(f"{self._since} trials without a better score: nothing more is to be gained")
