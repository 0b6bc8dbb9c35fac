"""The folder of a run and the one stream of events that everything else reads."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from autoft.disk import remove, to_disk, write_json, write_text
from autoft.errors import SettingsError
from autoft.history import History, mend
from autoft.interfaces.events import (
    Event,
    Remark,
    RunResumed,
    RunStarted,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from autoft.interfaces.problem import Metric
from autoft.leaderboard import Leaderboard
from autoft.store import liveness

Listener = Callable[[Event], None]
Notify = Callable[[Event], Sequence[str]]
"""Hands an event to trackers and to the plugins' hooks, and returns warnings about those that failed."""
KEPT = 3
"""Trials whose weights stay on disk: the baseline's and the best others'. What learned from the winner stays beside them."""


class Journal:
    """Writes run.json, events.jsonl, leaderboard.csv and result.json, and hands each event to the listeners in turn.

    With `past` it goes on where a run was cut off; nothing of that is told again.
    """

    def __init__(
        self, folder: Path, metric: Metric, listeners: Sequence[Listener], notify: Notify = lambda _: (), past: History | None = None
    ) -> None:
        self.folder = folder
        self.past = past
        self.run_id = past.run_id if past else f"{folder.resolve().name}-{secrets.token_hex(3)}"
        self.leaderboard = Leaderboard(metric)
        self.busy_seconds = 0.0
        self._open: dict[int, TrialStarted] = {}
        self._with_weights = {row.trial for row in (past.rows if past else ())}  # ended trials that may have weights on disk
        self._listeners = list(listeners)
        self._notify = notify
        self._held = ExitStack()
        self._begun = False
        for row in past.rows if past else ():
            self.leaderboard.add(row)
            self.busy_seconds += row.busy_seconds

    @property
    def stop_file(self) -> Path:
        """Exists once the user asked to finish."""
        return self.folder / ".stop"

    @property
    def search_stop_file(self) -> Path:
        """Exists once the search should end, for whatever reason its text gives."""
        return self.folder / ".stop-search"

    @property
    def stopping(self) -> bool:
        return self.stop_file.exists()

    def start(self, facts: Mapping[str, Any]) -> None:
        """Make the folder and write run.json, before anything else. Raises SettingsError when another run was quicker."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.past is None:
            try:
                (self.folder / "run.json").touch(exist_ok=False)
            except FileExistsError:
                raise SettingsError(f"{self.folder} was taken by another run meanwhile", hint="name another folder with --output") from None
            self._held.enter_context(liveness.held(self.folder))
        self._begun = True
        write_json(self.folder / "run.json", facts)
        for name in ("trials", "data"):
            (self.folder / name).mkdir(exist_ok=True)

    def go_on(self) -> None:
        """Take up the folder of a run that was cut off, in place of `start`. The caller holds it. Raises InputError while a worker of the
        session before is still there."""
        if self.past is None:
            raise ValueError("there is no run to go on with")
        liveness.await_workers(self.folder)
        self._begun = True
        self._clear()
        for left in ("ray", "result.json.new", "leaderboard.csv.new"):
            remove(self.folder / left)
        mend(self.folder / "events.jsonl")
        remove(self.folder / "result.json")
        for name in ("trials", "data"):
            (self.folder / name).mkdir(exist_ok=True)
        self._open = {number: trial.start for number, trial in self.past.trials.items() if trial.end is None}
        for number in self._open:
            remove(self.trial_folder(number))
        if len(self.leaderboard):
            self.leaderboard.write(self.folder / "leaderboard.csv")
        self._drop_weights()

    def trial_folder(self, number: int) -> Path:
        return self.folder / "trials" / str(number)

    def emit(self, event: Event) -> None:
        """Append to events.jsonl, bring the leaderboard up to date, tell the listeners."""
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(event.model_dump_json() + "\n")
            if isinstance(event, TrialFinished | RunStarted | RunResumed):
                to_disk(file)
        if isinstance(event, TrialStarted):
            self._open[event.trial] = event
            self._with_weights.discard(event.trial)
            self.leaderboard.remove(event.trial)
        if isinstance(event, TrialFinished):
            self._open.pop(event.trial, None)
            self.busy_seconds += event.busy_seconds
            self._with_weights.add(event.trial)
            self.leaderboard.add(event)
            self.leaderboard.write(self.folder / "leaderboard.csv")
            self._drop_weights()
        self._tell(event)
        for warning in self._notify(event):
            self.say(warning, "warning")

    def _tell(self, event: Event) -> None:
        """A listener that fails (a full disk, a database gone) is said once and heard no more; the run goes on."""
        for listen in list(self._listeners):
            try:
                listen(event)
            except Exception as error:
                self._listeners.remove(listen)
                self.say(f"{_owner(listen)} failed and is left out from now on: {error}", "warning")

    def say(self, text: str, level: str = "info") -> None:
        self.emit(Remark.model_validate({"text": text, "level": level}))

    def end_left_over(self, reason: str) -> None:
        """Trials that were begun and will not be begun again have a row like all others."""
        for number, begun in sorted(self._open.items()):
            told = begun.model_dump(include={"candidate", "hyperparameters", "stage"})
            self.emit(TrialFinished(trial=number, status="stopped", progress=0, metrics={}, value=None, seconds=0.0, reason=reason, **told))

    def stage(self, name: str, note: str = "") -> None:
        self.emit(StageStarted(stage=name, note=note))

    def stop(self, reason: str) -> None:
        """What Ctrl-C does: finish with the best so far. Safe in a signal handler."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.stop_file, reason)
        self.stop_search(reason)

    def stop_search(self, reason: str) -> None:
        if not self.search_stop_file.exists():
            write_text(self.search_stop_file, reason)

    def keeps(self, row: TrialFinished) -> bool:
        """Whether the weights of a trial that has ended, and is not told of yet, will stay on disk."""
        board = Leaderboard(self.leaderboard.metric)
        for one in (*self.leaderboard, row):
            board.add(one)
        return row.trial in _kept(board)

    def _drop_weights(self) -> None:
        kept = {*_kept(self.leaderboard)}
        for trial in self._with_weights - kept:
            shutil.rmtree(self.trial_folder(trial) / "model", ignore_errors=True)
        self._with_weights &= kept

    def close(self) -> None:
        """Remove what only a running run needs."""
        if self._begun:
            self._clear()
        self._held.close()

    def _clear(self) -> None:
        for name in (self.stop_file.name, self.search_stop_file.name, liveness.WORKERS, "cache", "bundle.new"):
            remove(self.folder / name)
        for left in (*self.folder.glob(".stop*.new"), *self.folder.glob("trials/*/model.new")):
            remove(left)


def _kept(leaderboard: Leaderboard) -> list[int]:
    """Trials whose weights stay. Where the best is a cheap one, the best of a dearer candidate comes before the cheap one's second: it may
    be taken in the end, when it cannot be learned again in the time."""
    baseline = [row.trial for row in leaderboard.usable() if row.stage == "baselines"]
    best = [row for row in leaderboard.contenders() if row.stage not in ("baselines", "distillation")]
    taught = [row.trial for row in leaderboard.contenders() if row.stage == "distillation"]
    rival = next((row for row in best if row.candidate != best[0].candidate), None)
    if rival and rival.seconds > best[0].seconds:
        best = [best[0], rival, *(row for row in best[1:] if row is not rival)]
    return [*[*baseline, *(row.trial for row in best)][:KEPT], *taught[:1]]


def _owner(listen: Listener) -> str:
    return type(getattr(listen, "__self__", listen)).__name__


def refuse_taken(wanted: Path | None) -> None:
    """Raises SettingsError when the folder that the user wants holds something already."""
    if wanted is not None and wanted.is_file():
        raise SettingsError(f"--output {wanted} is a file", hint="name a folder that is new or empty")
    if wanted is not None and wanted.is_dir() and any(wanted.iterdir()):
        holds = "another run" if (wanted / "run.json").exists() else "files already"
        raise SettingsError(f"--output {wanted} holds {holds}", hint="name a folder that is new or empty")


def output_folder(wanted: Path | None, data: Path) -> Path:
    """The folder of a new run: `wanted`, or one made here so that no other run takes it."""
    if wanted is not None:
        return wanted
    base = Path("runs") / f"{data.name.split('.')[0] or 'data'}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = base, 2
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            folder, number = base.with_name(f"{base.name}-{number}"), number + 1
        else:
            return folder


def versions() -> dict[str, str]:
    """What the figures of a run depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("autoft", "torch", "transformers", "ray", "optuna", "onnx", "onnxruntime", "scikit-learn", "numpy", "tokenizers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
