"""A trial in the run's own process, told as the tuner tells of those it runs."""

from __future__ import annotations

from autoft.interfaces.events import TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import Decision, FitData, Model, TrialSpec
from autoft.interfaces.task import Task
from autoft.journal import Journal
from autoft.trial import run_trial


def trial_here(
    spec: TrialSpec,
    data: FitData,
    model: Model,
    task: Task,
    journal: Journal,
    stage: str,
    deadline: float | None,
    *,
    fixed_horizon: bool = False,
    verbose: bool = False,
) -> TrialFinished:
    """Its row of the leaderboard, as the journal has it; see `run_trial`."""
    journal.emit(TrialStarted(trial=spec.number, candidate=spec.candidate.name, hyperparameters=spec.hyperparameters, stage=stage))

    def listen(event: TrialReported) -> Decision:
        journal.emit(event)
        return "go"

    outcome = run_trial(
        spec,
        data,
        model,
        task,
        journal.trial_folder(spec.number),
        listen=listen,
        deadline=deadline,
        stop_file=journal.stop_file,
        fixed_horizon=fixed_horizon,
        verbose=verbose,
    )
    row = TrialFinished(
        trial=spec.number,
        candidate=spec.candidate.name,
        hyperparameters=spec.hyperparameters,
        stage=stage,
        **outcome.told(),
    )
    journal.emit(row)
    return row
