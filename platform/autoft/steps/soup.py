"""The mean of the weights of one candidate's best trials, where it is better than each of them: a soup."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from autoft.errors import AutoftError
from autoft.interfaces.events import TrialFinished
from autoft.interfaces.model import Averages, Fitted
from autoft.interfaces.task import Decoder
from autoft.steps.calibrate import served
from autoft.steps.clock import Clock
from autoft.steps.confirm import Bench
from autoft.trial import decisions


@dataclass(frozen=True)
class Soup:
    """The mean of the weights of `trials`. `row` is the best of them with the figures of the mean in place of its own; `fitted` and
    `decoder` are as they are served, by what the mean answers for the validation rows."""

    trials: tuple[int, ...]
    row: TrialFinished
    fitted: Fitted = field(repr=False)
    decoder: Decoder = field(repr=False)


def average_best(bench: Bench, winner: TrialFinished, clock: Clock) -> Soup | None:
    """Greedy soup (Wortsman et al., ICML 2022, recipe 1): the trials of the winner's candidate whose weights are on disk, best first by the
    validation rows; each joins the mean where the figure of the mean does not fall.

    None unless the winner is among them and the mean is better than each alone, and where it cannot be told: trials that were
    cross-validated have learned from all rows. What is exported is in one piece either way: a mean of weights costs no time to answer.
    """
    candidate, journal = bench.candidates[winner.candidate], bench.journal
    model = bench.catalog.model(candidate.model)
    alike = [row for row in journal.leaderboard.contenders() if row.candidate == winner.candidate and row.rows == winner.rows]
    rows = [row for row in alike if bench.kept(row)]
    if not isinstance(model, Averages) or len(rows) < 2 or bench.data.folds or journal.stopping:
        return None
    closing, price = clock.closing([candidate]), clock.asking(candidate, len(bench.data.validation))
    if closing is not None and time.time() + price > closing:
        journal.say("the time does not carry a mean of the weights of the best trials")
        return None
    journal.stage("averaging", winner.candidate)
    taken, best = rows[:1], None
    for row in rows[1:]:
        if closing is not None and time.time() + price > closing:
            break
        soup = _cooked(bench, model, [*taken, row])
        if soup is not None and _key(bench, soup.row) >= _key(bench, best.row if best else rows[0]):
            taken, best = [*taken, row], soup
    return _told(bench, rows[0], winner, best)


def _told(bench: Bench, first: TrialFinished, winner: TrialFinished, soup: Soup | None) -> Soup | None:
    """The soup, if it counts, and a word to the user."""
    name = bench.understood.problem.metric.name
    if soup is None or winner.trial not in soup.trials or _key(bench, soup.row) <= _key(bench, first):
        alone = f"trial {first.trial} alone ({name} {first.value:.4f})"
        bench.journal.say(f"no mean of weights with those of the winner is better on the validation rows than {alone}")
        return None
    trials = " and ".join(map(str, soup.trials))
    bench.journal.say(
        f"the mean of the weights of trials {trials} is taken: {name} {soup.row.value:.4f} on the validation rows, "
        f"{first.value:.4f} the best of them alone"
    )
    return soup


def _cooked(bench: Bench, model: Averages, rows: Sequence[TrialFinished]) -> Soup | None:
    """The mean of these trials' weights, judged as a trial is; None where there is no such mean, or it cannot be made."""
    task, problem, validation = bench.understood.task, bench.understood.problem, bench.data.validation
    started = time.process_time()
    try:
        fitted = model.average([bench.journal.trial_folder(row.trial) / "model" for row in rows])
        if fitted is None:
            return None
        outputs, targets = fitted.outputs(bench.understood.rows.take(validation)), bench.understood.targets[validation]
    except Exception as error:  # whatever a model raises: the single trials are still good
        reason = error.message if isinstance(error, AutoftError) else f"{type(error).__name__}: {error}"
        bench.journal.say(f"the weights of trials {' and '.join(str(row.trial) for row in rows)} have no mean: {reason}", "warning")
        return None
    finally:
        bench.journal.busy_seconds += time.process_time() - started
    metrics = task.score(problem, targets, decisions(task, problem, outputs, targets, [(len(targets), fitted.extra())]))
    row = rows[0].model_copy(update={"metrics": metrics, "value": metrics[problem.metric.name]})
    fitted, decoder = served(bench, fitted, validation, outputs)
    return Soup(tuple(row.trial for row in rows), row, fitted, decoder)


def _key(bench: Bench, row: TrialFinished) -> float:
    return float("-inf") if row.value is None else bench.understood.problem.metric.key(row.value)
