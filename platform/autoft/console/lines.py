"""What happens in a run, a sentence each."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from shlex import quote

from rich.text import Text

from autoft.data.names import counted
from autoft.interfaces.events import Remark, RunFailedEvent, RunResumed, RunStarted, TrialFinished, TrialReported
from autoft.progress import STAGES, duration, figure, of_rows, plain


def opening(event: RunStarted) -> str:
    """Which data, task and metric, and how much time."""
    budget = f"budget {duration(event.budget)}" if event.budget is not None else "no time limit"
    return f"Run {plain(event.run_id)}: {plain(event.task)} on {plain(event.data)}, judged by {plain(event.metric)}, {budget}"


def going_on(event: RunResumed, trials: int) -> str:
    """`trials` is how many had ended before."""
    left = "no time limit" if event.budget is None else f"{duration(event.budget - event.spent)} of the budget left"
    return f"Run {plain(event.run_id)} goes on: {counted(trials, 'trial')} had ended, {left}"


def left_off(event: RunFailedEvent, run: RunStarted | RunResumed | None) -> str:
    """A run that the user left can go on; one that failed, as it stands, would fail again."""
    if event.status != "aborted" or run is None:
        return f"run {event.status}"
    return f"run aborted: autoft resume {quote(str(near(Path(run.folder))))} goes on with it"


def stage_begun(stage: str, note: str) -> str:
    """In words where the stage is known."""
    text = STAGES.get(stage, plain(stage).capitalize())
    return f"{text} ({plain(note)})" if note else text


def remark(event: Remark) -> Text:
    """With its level where it is a warning."""
    if event.level == "warning":
        return Text("Warning: ", style="bold yellow").append(plain(event.text), style="default not bold")
    return Text(plain(event.text))


def trial_reported(event: TrialReported, metric: str) -> str:
    """The figure of `metric`, or all there are where it is missing, and the measures."""
    scores = {metric: event.metrics.get(metric)} if metric in event.metrics else event.metrics
    shown = ", ".join(f"{plain(name)} {figure(value)}" for name, value in {**scores, **event.measures}.items())
    return f"trial {event.trial} at {event.progress}%" + (f": {shown}" if shown else "")


def trial_ended(event: TrialFinished, metric: str) -> str:
    """How, where, with what figure, after how long, and why."""
    where = "" if event.status in ("done", "failed") else f" at {event.progress}%"
    score = f" {plain(metric)} {figure(event.value)}" if event.value is not None else ""
    reason = f" ({plain(event.reason)})" if event.reason else ""
    where += of_rows(event.rows)
    return f"trial {event.trial} {event.status}{where}: {plain(event.candidate)}{score} in {duration(event.seconds)}{reason}"


def clock(seconds: float) -> str:
    """Minutes and seconds since the start."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def near(folder: Path) -> Path:
    """Relative to the working directory where it is below it."""
    with suppress(ValueError, OSError):
        return folder.resolve().relative_to(Path.cwd())
    return folder
