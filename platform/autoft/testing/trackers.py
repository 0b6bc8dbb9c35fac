"""What a tracker has to keep."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from pathlib import Path

from autoft.errors import AutoftError
from autoft.interfaces.events import (
    BundleExported,
    Event,
    RankedSource,
    Remark,
    RunFailedEvent,
    RunFinished,
    RunResumed,
    RunStarted,
    SourcesRanked,
    StageStarted,
    StopRequested,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from autoft.interfaces.tracker import Checked, Tracker
from autoft.testing.contract import Contract

SECONDS = 60.0
"""A method that has not returned by then hangs."""
POINT = {"learning_rate": 0.1, "epochs": 2, "kind": "a"}


def check_tracker(tracker: Tracker) -> None:
    """Hold `tracker` to `autoft.interfaces.tracker.Tracker`: it hears every kind of event, of three runs one after another: one that ends
    well, one that goes on after it was cut off, one that fails before it begins.

    Raises ContractBroken.
    """
    contract = Contract.of("tracker", tracker)
    if isinstance(tracker, Checked):
        _ask(contract, tracker)
    with tempfile.TemporaryDirectory() as name:
        for number, events in enumerate(STREAMS, 1):
            run = f"checked-{number}"
            folder = Path(name) / run
            (folder / "trials" / "1").mkdir(parents=True)
            (folder / "run.json").write_text('{"schema": 1}\n', encoding="utf-8")
            before = _digests(folder)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                _listen(contract, tracker, run, folder, events(run, folder))
            contract.holds(not said.getvalue(), f"it prints {said.getvalue()[:40]!r}: standard output is the command's", "event")
            after = _digests(folder)
            changed = [file for file, digest in before.items() if after.get(file) != digest]
            contract.holds(not changed, f"it changes {changed[:1]}, a file of the run", "event")


def _ask(contract: Contract, tracker: Checked) -> None:
    """It may say that it cannot work here, by one of autoft's own errors."""
    with contract.asking("check", "before the run begins", SECONDS):
        try:
            said: object = tracker.check()  # type: ignore[func-returns-value]
        except AutoftError:
            return
    contract.holds(said is None, f"check returns {said!r}: one that cannot work raises autoft.errors.SettingsError", "check")


def _listen(contract: Contract, tracker: Tracker, run: str, folder: Path, events: list[Event]) -> None:
    with contract.asking("open", "as a run starts", SECONDS):
        tracker.open(run, folder)
    for event in events:
        with contract.asking("event", f"to hear {type(event).__name__}", SECONDS):
            tracker.event(event)
    with contract.asking("close", "as the run ends", SECONDS):
        tracker.close()


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _whole(run: str, folder: Path) -> list[Event]:
    """With every kind of event that a whole run has, and a trial of each status."""
    result = {"schema": 1, "run_id": run, "status": "done", "verdict": "linear is best.", "bundle": "bundle"}
    ranking = (RankedSource(source="tiny-bert", score=None, rows=40, seconds=0.1, tuned=True),)
    return [
        _started(run, folder),
        Remark(text="text is read from the column text"),
        SourcesRanked(measure="H-score", ranking=ranking),
        StageStarted(stage="search"),
        TrialStarted(trial=1, candidate="linear", hyperparameters=POINT),
        TrialReported(trial=1, progress=50, metrics={"accuracy": 0.5}, measures={"train_loss": 0.7}),
        TrialReported(trial=1, progress=100, metrics={"accuracy": 0.9}),
        _ended(1, "done", 0.9),
        TrialStarted(trial=2, candidate="full:tiny-bert", hyperparameters={}),
        _ended(2, "failed", None, progress=0, reason="MemoryError: no room"),
        TrialStarted(trial=3, candidate="linear", hyperparameters=POINT),
        StopRequested(reason="stopped by the user"),
        _ended(3, "stopped", 0.4, progress=50, reason="stopped by the user"),
        RunFinished(run_id=run, status="done", result=result),
        BundleExported(run_id=run, formats=({"name": "onnx"},)),
    ]


def _resumed(run: str, folder: Path) -> list[Event]:
    facts = _started(run, folder).model_dump(exclude={"event", "time"})
    again = RunResumed(**facts, started=1.0, spent=9.0)
    return [again, _ended(2, "done", 0.8), RunFinished(run_id=run, status="stopped", result={"schema": 1, "run_id": run})]


def _failed(run: str, folder: Path) -> list[Event]:  # noqa: ARG001
    return [RunFailedEvent(run_id=run, status="failed", reason="no trial gave a model")]


def _started(run: str, folder: Path) -> RunStarted:
    candidates = ("linear", "full:tiny-bert")
    return RunStarted(
        run_id=run, folder=str(folder), data="data.csv", task="text-classification", candidates=candidates, budget=60.0, metric="accuracy"
    )


def _ended(trial: int, status: str, value: float | None, *, progress: int = 100, reason: str = "") -> TrialFinished:
    told = {"trial": trial, "candidate": "linear", "status": status, "progress": progress, "seconds": 1.5, "hyperparameters": POINT}
    metrics = {} if value is None else {"accuracy": value}
    return TrialFinished.model_validate({**told, "value": value, "metrics": metrics, "reason": reason})


STREAMS = (_whole, _resumed, _failed)
"""What is told of a run, by its id and folder: one that ends well, one that goes on, one that fails before it begins."""
