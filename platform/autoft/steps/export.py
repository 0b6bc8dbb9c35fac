"""Which model is exported, and in which format: the first in order that is proved right, or the best within the user's limits."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

from autoft.errors import AutoftError, ExportError
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.result import Option
from autoft.settings import Settings
from autoft.steps.bounds import Bounds, best_within, options, with_front
from autoft.steps.bundle import Built, Chosen, build, held_out, judged_by
from autoft.steps.calibrate import in_words, served
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench, Confirmation, refit
from autoft.steps.distill import Taught
from autoft.steps.formats import discard
from autoft.trial import replace_folder


@dataclass(frozen=True)
class Shipped:
    """What is served: the export in `bundle.new`, what it was made of, and where there are limits, what was tried within them."""

    built: Built
    chosen: Chosen
    bounds: Bounds | None = None
    options: tuple[Option, ...] = ()
    option: Option | None = None


def export(
    settings: Settings, bench: Bench, confirmation: Confirmation, final: Chosen | None, clock: Clock, taught: Taught | None = None
) -> Shipped:
    """The first in order: what was `taught`, since the user asked for it, then the winner; within limits all of them are candidates. An
    export that is refused is said, and the next is taken. Raises ExportError where none is proved right."""
    bounds = Bounds.of(settings, bench.threads)
    student = taught.chosen if taught else None
    if bounds is None:
        shipped = _in_order(settings, bench, confirmation, [one for one in (student, final) if one], clock)
    else:
        shipped = _within(settings, bench, confirmation, [one for one in (final, student) if one], clock, bounds)
    if shipped is None:
        where = bench.journal.folder / "events.jsonl"
        raise ExportError("no model of this run could be exported and proved", hint=f"see the warnings in {where}")
    replace_folder(bench.journal.folder / "model", shipped.built.fitted.save)
    return shipped


def _in_order(settings: Settings, bench: Bench, confirmation: Confirmation, first: Sequence[Chosen], clock: Clock) -> Shipped | None:
    winner = confirmation.order[0]
    if not bench.kept(winner) and all(one.row.trial != winner.trial for one in first):
        gone = f"the weights of trial {winner.trial}, {winner.candidate}, are gone, and there is no time to learn them again"
        bench.journal.say(f"{gone}: the next in order is taken", "warning")
    for chosen in [*first, *(Chosen(row) for row in confirmation.order if bench.kept(row))]:
        built = _built(settings, bench, chosen, [settings.exporter], bench.journal.folder / "bundle.new", clock)
        if built is not None:
            return Shipped(built, chosen)
    return None


def _within(
    settings: Settings, bench: Bench, confirmation: Confirmation, first: Sequence[Chosen], clock: Clock, bounds: Bounds
) -> Shipped | None:
    """Every candidate's best, in every format that there is time for; all wait in the cache until the best is known."""
    understood, metric, folder = bench.understood, bench.understood.problem.metric, bench.journal.folder
    formats = bounds.formats(settings, bench.catalog)
    tried: list[tuple[Built, Chosen, list[Option]]] = []
    for chosen in _best_of_each(bench, confirmation, first, clock):
        if tried and not _time_for(bench, chosen, clock):
            bench.journal.say(f"the time does not carry an export of {chosen.row.candidate}", "warning")
            continue
        built = _built(settings, bench, chosen, formats, folder / "cache" / f"export-{chosen.row.trial}", clock)
        if built is not None:
            tried.append((built, chosen, options(built, chosen.row, _value(chosen.row, confirmation), understood, bench.catalog, bounds)))
    if not tried:
        return None
    found = with_front([option for _, _, each in tried for option in each], metric)
    option = best_within(found, metric)
    built, chosen = next((b, c) for b, c, _ in tried if c.row.trial == option.trial)
    for name in [name for name in built.formats if name != option.format]:
        discard(built.folder, built.formats[name].files)
    target = folder / "bundle.new"
    shutil.rmtree(target, ignore_errors=True)
    built.folder.rename(target)
    for other, _, _ in tried:
        shutil.rmtree(other.folder, ignore_errors=True)
    moved = replace(built, folder=target, formats={option.format: built.formats[option.format]})
    return Shipped(moved, chosen, bounds, tuple(found), option)


def _best_of_each(bench: Bench, confirmation: Confirmation, first: Sequence[Chosen], clock: Clock) -> Iterator[Chosen]:
    """The best trial of each candidate, those of `first` before others. One whose weights are gone learns again, where there is time."""
    seen: set[str] = set()
    for chosen in first:
        seen.add(chosen.row.candidate)
        yield chosen
    for row in confirmation.order:
        if row.candidate in seen:
            continue
        if bench.kept(row):
            seen.add(row.candidate)
            yield Chosen(row)
        elif not any(bench.kept(other) for other in confirmation.order if other.candidate == row.candidate):
            seen.add(row.candidate)
            again = None if bench.data.folds else refit(bench, row, clock.closing([bench.candidates[row.candidate]]))
            if again is None:
                bench.journal.say(f"{row.candidate} is not exported: its weights are gone, and there is no time to learn again")
            else:
                yield Chosen(row, again, refitted=True)


def _value(row: TrialFinished, confirmation: Confirmation) -> float:
    """The mean over the folds or seeds by which it was confirmed, or else the trial's own figure."""
    figures = (confirmation.figures or {}).get(row.trial)
    return fmean(figures) if figures else float("nan") if row.value is None else row.value


def _time_for(bench: Bench, chosen: Chosen, clock: Clock) -> bool:
    closing = clock.closing([bench.candidates[chosen.row.candidate]])
    return closing is None or time.time() < closing


def _built(settings: Settings, bench: Bench, chosen: Chosen, formats: Sequence[str], folder: Path, clock: Clock) -> Built | None:
    """None where the export is refused, which is said."""
    journal, row = bench.journal, chosen.row
    journal.stage("export and proof", f"{row.candidate} as {', '.join(formats)}")
    try:
        model, decoder = chosen.fitted or bench.load(row), chosen.decoder
        if decoder is None:
            held = held_out(journal.trial_folder(row.trial) / "validation.npz")
            model, decoder = served(bench, model, *held, anew=chosen.refitted or bool(bench.data.folds))
        built = build(
            model,
            decoder,
            bench.understood,
            bench.catalog,
            formats,
            folder,
            bench.threads,
            judged=partial(judged_by, bench, chosen, model, decoder),
            max_loss=settings.max_loss,
            say=lambda text: journal.say(f"trial {row.trial}, {row.candidate}: {text}", "warning"),
            proving=lambda: clock.proving(stopped=journal.stopping),
            then=clock.after_proof,
        )
    except AutoftError as error:
        journal.say(f"trial {row.trial}, {row.candidate}: {error.message}", "warning")
        return None
    calibrated = in_words(decoder)
    if calibrated:
        journal.say(calibrated)
    return built
