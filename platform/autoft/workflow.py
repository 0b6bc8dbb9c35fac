"""The whole flow of a run, top to bottom: `fine_tune`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from autoft import hardware
from autoft.catalog import Catalog
from autoft.disk import write_json
from autoft.errors import AutoftError, RunFailed, SettingsError
from autoft.faults import plugin_fault
from autoft.history import History
from autoft.interfaces.events import RunFailedEvent, RunFinished, RunStatus, TrialFinished
from autoft.interfaces.model import Candidate, Limits
from autoft.journal import Journal, Listener, output_folder, refuse_taken
from autoft.leaderboard import Leaderboard
from autoft.process import interrupts, quiet
from autoft.report import write_report
from autoft.settings import Settings
from autoft.steps.begin import begin
from autoft.steps.bundle import Chosen
from autoft.steps.choose import Choice, choose, in_time
from autoft.steps.clock import Clock, budget_of
from autoft.steps.conclude import conclude, report_data
from autoft.steps.confirm import Bench, Confirmation, confirm, contenders, in_reach, learned_all, refit, refit_cost, refit_fits, round_cost
from autoft.steps.distill import distil
from autoft.steps.earlier import Points, earlier_points
from autoft.steps.export import export
from autoft.steps.failures import failures
from autoft.steps.parts import learning
from autoft.steps.plainer import plainer, preferring
from autoft.steps.pupils import Pupils, pupils_of
from autoft.steps.ranking import rank_sources
from autoft.steps.reopen import limits_before, same_candidates, same_data
from autoft.steps.search import fit_baseline, preparing, reach, search
from autoft.steps.soup import average_best
from autoft.steps.understand import Understood, understand
from autoft.steps.whole import learn_from_all, part_of_search
from autoft.tracking import Trackers

SURE, SURE_SHARE = 1.0, 0.005
"""Seconds, and part of a budget, at most, in which the machine's speed is measured once more where a choice hangs on it."""


@dataclass(frozen=True)
class Finished:
    """What a run leaves: its folder, the content of result.json, the leaderboard."""

    folder: Path
    result: dict[str, Any]
    leaderboard: Leaderboard


def fine_tune(
    settings: Settings,
    catalog: Catalog,
    *,
    started: float,
    listeners: Sequence[Listener] = (),
    past: History | None = None,
    like: History | None = None,
) -> Finished:
    """Run `settings`. Raises InputError before anything is written, RunFailed when no model could be exported and proved.

    With `past` a run that was cut off goes on: `started` is put back by the seconds that it was alive, and `settings.output` is its folder.
    `like` is the run of that setting.
    """
    if settings.named_only and not settings.models:
        raise SettingsError(
            "--named-only without --models: no model is named", hint="name some (--models NAMES), or leave --named-only out"
        )
    hardware.wait_briefly()
    with quiet(settings.verbose):
        understood = understand(settings, catalog)
        begun = past if past is not None and past.started else None
        if past is None:
            refuse_taken(settings.output)
        elif begun is not None:
            same_data(begun, understood)
        budget = budget_of(settings)
        said: list[str] = []
        sample = understood.rows.take(understood.splits.train)

        def chosen(able: Limits) -> Choice:
            said.clear()
            return choose(
                settings.models,
                catalog,
                understood.problem,
                understood.for_trials(able),
                sample,
                offline=settings.offline,
                licences=settings.licences,
                max_size=settings.max_size,
                say=said.append,
            )

        limits = hardware.limits(None if budget is None else started + budget - time.time())
        able = limits_before(begun) if begun else limits
        choice, clock = chosen(able), Clock.of(settings, started, limits, understood)
        if begun:
            choice = same_candidates(begun, choice)
        elif clock.hangs_on_speed(choice.tried, choice.passed_over) and hardware.look_again(min(SURE, SURE_SHARE * (budget or 0.0))):
            able = limits = hardware.limits(None if budget is None else started + budget - time.time())
            choice, clock = chosen(able), Clock.of(settings, started, limits, understood)
        if not begun:
            choice = in_time(choice, clock.unanswerable)
        pupils = pupils_of(settings, catalog, understood.problem, choice.tried, understood.for_trials(able), sample, said.append)
        earlier = earlier_points(past, like, understood.problem.task)
        reach(catalog.tuner(settings.tuner), None if begun and begun.searched else settings.ray_address)
        clock = clock.with_format(catalog.exporter(settings.exporter), several=bool(settings.max_latency or settings.max_size))
        if pupils:
            clock = clock.with_pupil(pupils.candidates[:1] or choice.tried)
        trackers = Trackers.named(settings.trackers, catalog)
        folder = output_folder(settings.output, understood.data)
        journal = Journal(folder, understood.problem.metric, listeners, trackers.notify, past)
        try:
            with interrupts(journal):
                return _run(settings, catalog, understood, choice, pupils, limits, clock, journal, said, earlier)
        except BaseException as error:
            _failed(journal, error)
            raise
        finally:
            journal.close()


def _run(
    settings: Settings,
    catalog: Catalog,
    understood: Understood,
    choice: Choice,
    pupils: Pupils | None,
    limits: Limits,
    clock: Clock,
    journal: Journal,
    said: Sequence[str],
    earlier: Points,
) -> Finished:
    begin(settings, understood, choice, limits, clock, journal, catalog, said, earlier)
    _tell_of_test(choice, clock, journal)
    with preparing(settings, catalog, choice, clock, journal) as ready:
        bench, baseline, clock = _searched(settings, catalog, understood, choice, limits, clock, journal, earlier, ready)
        return _concluded(settings, choice, pupils, bench, baseline, clock)


def _concluded(
    settings: Settings,
    choice: Choice,
    pupils: Pupils | None,
    bench: Bench,
    baseline: Candidate | None,
    clock: Clock,
) -> Finished:
    """From the end of the search to that of the run."""
    journal, candidates = bench.journal, bench.candidates
    clock = clock.at_pace(journal.leaderboard, candidates, bench.concurrency)
    parted = [row for row in journal.leaderboard.of_part() if choice.served(row.candidate, named_only=settings.named_only)]
    learn_from_all(bench, parted, clock, each=bool(settings.max_latency or settings.max_size))
    known = [row for row in journal.leaderboard.contenders() if row.candidate in candidates]
    ranked = [row for row in known if choice.served(row.candidate, named_only=settings.named_only)]
    if not ranked:
        more = f"; autoft resume {journal.folder} --budget TIME gives it more time" if clock.budget is not None else ""
        more += "; without --named-only the baseline would be served" if known else ""
        raise RunFailed(
            _why_nothing(journal, named_only=settings.named_only),
            hint=f"the reasons are in {journal.folder / 'leaderboard.csv'}{more}",
        )
    confirmation, final = _confirm(bench, ranked, clock)
    clock, taught = replace(clock, behind=0.0), None
    if pupils:
        bench, taught = distil(bench, pupils, confirmation.order[0], final, clock)
    shipped = export(settings, bench, confirmation, final, clock, taught)
    conclusion = conclude(settings, bench, confirmation, shipped, baseline, clock, taught)
    result = conclusion.result
    write_report(journal.folder, result, journal.leaderboard, report_data(bench, conclusion, shipped.built, str(bench.understood.data)))
    write_json(journal.folder / "result.json", result)
    status: RunStatus = "stopped" if journal.stopping else "done"
    journal.emit(RunFinished(run_id=journal.run_id, status=status, result=result))
    return Finished(journal.folder, result, journal.leaderboard)


def _searched(
    settings: Settings,
    catalog: Catalog,
    understood: Understood,
    choice: Choice,
    limits: Limits,
    clock: Clock,
    journal: Journal,
    earlier: Points,
    ready: Callable[[], None],
) -> tuple[Bench, Candidate | None, Clock]:
    """From the baseline to the end of the search; the second is the baseline."""
    cache = (journal.folder / "cache").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    data = learning(understood.problem, understood.rows, understood.targets, understood.splits, cache)
    baseline = fit_baseline(settings, catalog, understood, data, limits, journal, clock.baseline())
    choice, ranking = rank_sources(choice, catalog, data, limits, clock.searching(choice.tried), journal)
    part, clock = part_of_search(understood, data, choice, clock, journal)
    deadline = clock.searching(choice.tried)
    # A cluster's tuner knows how many processors there are; the clock knows those of this machine.
    slots = settings.concurrency or (None if settings.ray_address else clock.side_by_side(choice.tried, deadline))
    candidates = {c.name: c for c in (*choice.tried, *([baseline] if baseline else []))}
    bench = Bench(
        journal,
        understood,
        data,
        catalog,
        candidates,
        limits.threads,
        limits.gpus,
        slots or limits.threads,
        settings.validation is not None or settings.time is not None,
        settings.verbose,
        ranking,
        part,
    )

    @lru_cache(maxsize=1)  # the tuner asks again and again, and the answer is another one only once another trial has ended
    def later(ended: int) -> float | None:  # noqa: ARG001
        # Deadlines are never brought forward: a cheap winner of the first minute must not put off the end for a dear one to come.
        if not {c.name for c in choice.tried} <= {row.candidate for row in journal.leaderboard}:
            return None
        found = [row for row in journal.leaderboard.contenders() if choice.served(row.candidate, named_only=settings.named_only)]
        if not found or deadline is None:
            return None
        paced = clock.at_pace(journal.leaderboard, candidates, bench.concurrency)
        confirming = round_cost(bench, contenders(bench, found))
        return paced.put_off(in_reach(bench, found), refit_cost(bench, found[0]), confirming, deadline)

    search(
        settings,
        catalog,
        choice,
        clock,
        journal,
        data,
        baseline,
        deadline,
        slots,
        earlier,
        lambda: later(len(journal.leaderboard)),
        ready,
        part,
    )
    return bench, baseline, clock


def _confirm(bench: Bench, ranked: Sequence[TrialFinished], clock: Clock) -> tuple[Confirmation, Chosen | None]:
    """The order after confirmation, and the winner refitted, or else the mean of the weights of its best trials, where that is better."""
    journal = bench.journal
    journal.stage("confirmation")
    closing = clock.closing([bench.candidates[row.candidate] for row in contenders(bench, ranked)])
    confirmed = confirm(bench, ranked, closing, refit_seconds=refit_cost(bench, ranked[0]))
    confirmation = plainer(bench, preferring(bench, confirmed))
    winner = confirmation.order[0]
    if confirmation.figures:
        names = {row.trial: f"{row.candidate} (trial {row.trial})" for row in confirmation.order}
        alone = " (its own split alone: no time for more)"
        shown = [f"{names[trial]} {sum(v) / len(v):.3f}{alone if len(v) == 1 else ''}" for trial, v in confirmation.figures.items()]
        further = f"{max(map(len, confirmation.figures.values())) - 1} further {'seeds' if bench.fixed_validation else 'folds'}"
        journal.say(f"mean over the search's own split and {further}: {', '.join(shown)}")
    journal.stage("refit", f"{winner.candidate} did so in its trial" if learned_all(bench, winner) else winner.candidate)
    served = [bench.candidates[winner.candidate]]
    closing = clock.closing(served)
    if not refit_fits(bench, winner, closing):
        closing = clock.with_short_proof().closing(served)
    fitted = refit(bench, winner, closing)
    if fitted is not None:
        return confirmation, Chosen(winner, fitted, refitted=True)
    soup = average_best(bench, winner, clock)
    return confirmation, Chosen(soup.row, soup.fitted, averaged=soup.trials, decoder=soup.decoder) if soup else None


def _tell_of_test(choice: Choice, clock: Clock, journal: Journal) -> None:
    """Early, so that whoever waits can give the run more time, or fewer rows."""
    told = clock.test_in_words(choice.tried)
    if told is not None:
        text, kept = told
        journal.say(text, "info" if kept else "warning")


def _why_nothing(journal: Journal, *, named_only: bool) -> str:
    reasons = [row.reason for row in journal.leaderboard if row.reason]
    failed = failures(journal.leaderboard, journal.folder / "trials")
    why = f". {failed}" if failed else f"; the last reason: {reasons[-1]}" if reasons else ""
    return "no trial" + (" of what was named" if named_only else "") + " gave a model" + why


def _failed(journal: Journal, error: BaseException) -> None:
    """Tell the stream, if the run had begun and not finished."""
    if not (journal.folder / "run.json").exists() or (journal.folder / "result.json").exists():
        return
    aborted = isinstance(error, KeyboardInterrupt | SystemExit)
    said = error if isinstance(error, AutoftError) else plugin_fault(error)
    reason = said.message if said else f"{type(error).__name__}: {error}"
    status: RunStatus = "aborted" if aborted else "failed"
    write_json(
        journal.folder / "result.json",
        {"schema": 1, "run_id": journal.run_id, "status": status, "reason": reason, "trials": len(journal.leaderboard)},
    )
    journal.emit(RunFailedEvent(run_id=journal.run_id, status=status, reason=reason))
