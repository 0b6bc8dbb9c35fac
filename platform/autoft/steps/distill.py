"""A smaller model learns what the winner answers: distillation (Hinton et al., arXiv 1503.02531)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import AutoftError, TrialError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Candidate, Distils, Fitted, TrialSpec
from autoft.interfaces.result import Distilled
from autoft.interfaces.space import Hyperparameters
from autoft.steps.bundle import Chosen, held_out
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench, refit
from autoft.steps.here import trial_here
from autoft.steps.pupils import Pupils
from autoft.steps.search import LEFT
from autoft.trial import trial_seed

STAGE = "distillation"

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Taught:
    """What learned from the `teacher`, a trial's row."""

    teacher: TrialFinished
    chosen: Chosen

    def as_result(self) -> Distilled:
        """For result.json."""
        row = self.chosen.row
        return Distilled(
            teacher=self.teacher.candidate,
            teacher_trial=self.teacher.trial,
            teacher_validation=self.teacher.metrics,
            candidate=row.candidate,
            trial=row.trial,
            validation=row.metrics,
        )


def distil(bench: Bench, pupils: Pupils, winner: TrialFinished, final: Chosen | None, clock: Clock) -> tuple[Bench, Taught | None]:
    """Teach a pupil by the outputs of the winner, and refit it where the time carries that. None, and a word of why, where that comes to
    nothing. The bench knows the pupil's candidate from then on.

    The pupil that is judged learns from the winner as that learned from the training rows: its validation figure is as honest as any. After
    cross-validation each row is answered by a model that had not learned from it, as far as there are such answers. The pupil's refit
    learns from the winner's.
    """
    journal = bench.journal
    bench = _knowing(bench, pupils)
    if journal.stopping:
        journal.say("nothing was distilled: the run was stopped", "warning")
        return bench, None
    journal.stage(STAGE, winner.candidate)
    journal.end_left_over(LEFT)
    started = time.process_time()
    try:
        student = _student(bench, pupils, winner)
        bench = replace(bench, candidates={**bench.candidates, student.name: student})
        own = _weights(bench, winner, final)
        closing = clock.closing([student])
        if (
            closing is not None
            and time.time() + clock.asking(bench.candidates[winner.candidate], len(bench.understood.learnable)) > closing
        ):
            raise TrialError("the time does not carry it")
        lesson = _lesson(bench, own, winner)
        later = _lesson(bench, final.fitted, None) if final and final.fitted and final.refitted and not bench.data.folds else lesson
    except AutoftError as error:
        journal.say(f"nothing was distilled: {error.message}", "warning")
        return bench, None
    finally:
        journal.busy_seconds += time.process_time() - started
    row = _best(bench, student, lesson, clock)
    if row is None:
        return bench, None
    metric = bench.understood.problem.metric.name
    journal.say(
        f"{row.candidate} learned from {winner.candidate}: {metric} {row.value:.4f} on the validation rows, {winner.value:.4f} the teacher"
    )
    fitted = refit(replace(bench, data=replace(bench.data, teacher=later)), row, clock.closing([student]))
    return bench, Taught(winner, Chosen(row, fitted, refitted=fitted is not None))


def _knowing(bench: Bench, pupils: Pupils) -> Bench:
    """With a stand-in for each candidate of a session before, whose pupil may be none of this one: its rows are on the leaderboard."""
    rows = (row.candidate for row in bench.journal.leaderboard if row.stage == STAGE)
    return replace(bench, candidates={**{name: Candidate(pupils.model) for name in rows}, **bench.candidates})


def _student(bench: Bench, pupils: Pupils, winner: TrialFinished) -> Candidate:
    """Raises TrialError where there is none."""
    teacher = bench.candidates[winner.candidate]
    if pupils.layers is None:
        found = pupils.quicker_than(teacher)
        if found is None:
            hint = "--distill SOURCE names one, --distill layers=N takes layers of the winner"
            raise TrialError(f"no source that suits the data is quicker than the winner {teacher.name}; {hint}")
        return found
    if teacher.source is None:
        raise TrialError(f"the winner {teacher.name} has no layers that could be left out")
    folder, model = bench.journal.folder / "cache" / "student", bench.catalog.model(pupils.model)
    shutil.rmtree(folder, ignore_errors=True)
    # Weights that were cross-validated have learned from all rows: begun with these, a pupil would know the rows it is judged by.
    fresh = bool(bench.data.folds) or not bench.kept(winner)
    whole = teacher.source.folder if fresh else bench.journal.trial_folder(winner.trial) / "model"
    if not isinstance(model, Distils):
        raise TrialError(f"{pupils.model} learns from no teacher")
    source = model.shortened(whole, teacher.source, pupils.layers, folder)
    understood = bench.understood
    offered = model.students(understood.problem, [source], pupils.limits, understood.rows.take(understood.splits.train))
    if not offered or not offered[0].proposed:
        raise TrialError(offered[0].reason if offered else f"{understood.problem.task} is learned from labels only")
    return offered[0]


def _weights(bench: Bench, winner: TrialFinished, final: Chosen | None) -> Fitted:
    """The winner as it learned from the training rows alone, or after cross-validation from all. Raises TrialError where it is gone, or
    does not tell all it knows by its logits."""
    averaged = final.fitted if final is not None and final.averaged else None
    if averaged is None and not bench.kept(winner):
        raise TrialError(f"the weights of the winner, trial {winner.trial}, are gone")
    own = averaged or bench.load(winner)
    if own.extra():
        raise TrialError(
            f"what {winner.candidate} decides does not follow from its logits alone ({', '.join(own.extra())}), and only these teach"
        )
    return own


def _lesson(bench: Bench, teacher: Fitted, winner: TrialFinished | None) -> Logits:
    """`FitData.teacher`: what the teacher answers for all rows that are not test, but where the trial of `winner` was cross-validated what
    it answered for rows that were held out. Raises TrialError for a teacher without logits."""
    rows, total = bench.understood.learnable, len(bench.understood.rows)
    try:
        pieces: list[tuple[npt.NDArray[np.int64], Arrays]] = [
            (rows, {"logits": teacher.outputs(bench.understood.rows.take(rows))["logits"]})
        ]
    except KeyError:
        raise TrialError("what the winner gives has no logits, and only these teach") from None
    if winner is not None and bench.data.folds:
        held, outputs = held_out(bench.journal.trial_folder(winner.trial) / "validation.npz")
        pieces.append((held, {"logits": outputs["logits"]}))
    logits: Logits = joined(pieces, total)["logits"].astype(np.float32)
    logits[np.setdiff1d(np.arange(total), rows)] = np.nan
    return logits


def _best(bench: Bench, student: Candidate, lesson: Logits, clock: Clock) -> TrialFinished | None:
    """The best of the student's trials, as many of its points as there is time for, a refit behind them."""
    rows: list[TrialFinished] = []
    for point in _points(bench, student):
        closing, begun = clock.closing([student]), time.time()
        whole = 1.0 + clock.refit
        if closing is not None and rows and begun + max(row.seconds for row in rows) * whole > closing:
            break
        known = _known(bench, student, point)
        rows.append(known or _trial(bench, student, point, lesson, None if closing is None else begun + (closing - begun) / whole))
        if bench.journal.stopping:
            break
    learned = [row for row in rows if row.value is not None and row.status in ("done", "stopped") and bench.kept(row)]
    if not learned:
        bench.journal.say(f"nothing was distilled: {rows[-1].reason or 'no trial gave a model'}", "warning")
        return None
    metric = bench.understood.problem.metric
    return max(learned, key=lambda row: metric.key(row.value if row.value is not None else float("nan")))


def _points(bench: Bench, student: Candidate) -> list[Hyperparameters]:
    """Those of the student's space, with what did best for its source in the search, where that was tried; but for how long it learns."""
    space = bench.catalog.model(student.model).space(student, bench.understood.problem, len(bench.data.train))
    tried = [row for row in bench.journal.leaderboard.contenders() if row.stage != STAGE and _source(bench, row) == student.source]
    best = tried[0].hyperparameters if tried else {}
    found = {name: value for name, value in best.items() if name in space.default and name != "epochs"}
    return [{**point, **found} for point in (space.default, *space.first)]


def _source(bench: Bench, row: TrialFinished) -> Any:
    candidate = bench.candidates.get(row.candidate)
    return candidate.source if candidate else None


def _known(bench: Bench, student: Candidate, point: Hyperparameters) -> TrialFinished | None:
    """A trial of a session before, whose weights are there."""
    rows: Sequence[TrialFinished] = [row for row in bench.journal.leaderboard if row.stage == STAGE and row.candidate == student.name]
    return next((row for row in rows if row.hyperparameters == point and row.status == "done" and bench.kept(row)), None)


def _trial(bench: Bench, student: Candidate, point: Hyperparameters, lesson: Logits, deadline: float | None) -> TrialFinished:
    """One more trial, a row of the leaderboard as any other."""
    journal, understood = bench.journal, bench.understood
    number = 1 + max((row.trial for row in journal.leaderboard), default=0)
    spec = TrialSpec(number, student, point, trial_seed(understood.problem.seed, number), bench.threads, min(1, bench.gpus))
    return trial_here(
        spec,
        replace(bench.data, teacher=lesson),
        bench.catalog.model(student.model),
        understood.task,
        journal,
        STAGE,
        deadline,
        verbose=bench.verbose,
    )
