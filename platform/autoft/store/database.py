"""The only reader and writer of the tables."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from autoft.errors import AutoftError, InputError
from autoft.history import read_events
from autoft.interfaces.events import (
    BundleExported,
    Event,
    RunFailedEvent,
    RunFinished,
    RunResumed,
    RunStarted,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from autoft.store import liveness
from autoft.store.address import default_url, masked
from autoft.store.schema import open_engine
from autoft.store.tables import Artifact, ArtifactRecord, Run, RunRecord, Trial, TrialRecord

KINDS = {
    "run.json": "settings",
    "result.json": "result",
    "leaderboard.csv": "leaderboard",
    "events.jsonl": "events",
    "report.html": "report",
}
"""The files at the top of a run's folder that are artifacts, with their kinds; so is every file of the bundle."""


class Store:
    """Runs, trials and artifacts in SQLite (write-ahead log) or any SQLAlchemy database. Safe between threads and processes.

    Opening brings the schema up to date. Raises InputError when the database cannot be opened, AutoftError when it cannot be
    read or written later on; neither shows a password.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url or default_url()
        self._engine = open_engine(self._url)
        self._writing = self._engine.execution_options(writes=True)
        self._recorder = Recorder(self)

    @property
    def shown_url(self) -> str:
        """Where the database is, passwords masked."""
        return masked(self._url)

    def __repr__(self) -> str:
        return f"Store({self.shown_url!r})"

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _session(self, *, writes: bool = False) -> Iterator[Session]:
        try:
            with Session(self._writing if writes else self._engine, expire_on_commit=False) as session:
                yield session
                if writes:
                    session.commit()
        except SQLAlchemyError as error:
            reason = " ".join(masked(str(getattr(error, "orig", None) or error)).split())
            verb = "written" if writes else "read"
            message = f"the database {self.shown_url} cannot be {verb}: {reason}"
            raise AutoftError(message, hint="is its disk full, or was it moved?") from None

    # Writing

    def event(self, event: Event) -> None:
        """Take in one event of the stream. One run at a time; for several side by side take a `Recorder` each."""
        self._recorder.event(event)

    def run_started(self, event: RunStarted | RunResumed, settings: Mapping[str, Any] | None = None, *, here: bool = True) -> None:
        """`settings` and the metric's direction come from run.json where not given. `here`: this process is the one that runs it.

        A run that goes on keeps the time at which it was begun, and is as long as it was alive.
        """
        resumed = isinstance(event, RunResumed)
        written = _read_json(Path(event.folder) / "run.json")
        direction = _dig(written, "problem", "metric", "greater_is_better")
        run = Run(
            id=event.run_id,
            folder=str(Path(event.folder).absolute()),
            data=event.data,
            task=event.task,
            status="running",
            settings=_json(settings if settings is not None else written.get("settings") or {}),
            metric=event.metric,
            greater_is_better=direction if isinstance(direction, bool) else True,
            budget=event.budget,
            created=float(written.get("started", event.time)) if resumed else event.time,
            seconds=event.spent if isinstance(event, RunResumed) else None,
            host=liveness.this_host() if here else "",
            pid=os.getpid() if here else 0,
            process=liveness.process_identity(os.getpid()) if here else "",
        )
        with self._session(writes=True) as session:
            known = session.get(Run, run.id)
            if resumed and known is not None:
                run.created = known.created
            session.merge(run)

    def run_resumed(self, event: RunResumed) -> None:
        """The run goes on in this process, and what its stream told before is in the tables: the last of it may have been lost."""
        self.run_started(event)
        ended: dict[int, TrialFinished] = {}
        for past in read_events(Path(event.folder) / "events.jsonl"):
            if isinstance(past, TrialStarted):
                ended.pop(past.trial, None)
            elif isinstance(past, TrialFinished):
                ended[past.trial] = past
        known = {trial.number: trial for trial in self.trials(event.run_id)}
        for number, row in ended.items():
            if number not in known or known[number].finished != row.time:
                self.trial_finished(event.run_id, row)

    def trial_started(self, run_id: str, event: TrialStarted) -> None:
        trial = Trial(
            run_id=run_id,
            number=event.trial,
            candidate=event.candidate,
            status="running",
            stage=event.stage,
            hyperparameters=_json(event.hyperparameters),
            started=event.time,
        )
        with self._session(writes=True) as session:
            session.merge(trial)

    def trial_reported(self, run_id: str, event: TrialReported) -> None:
        with self._session(writes=True) as session:
            trial = session.get(Trial, (run_id, event.trial))
            if trial is not None and trial.status == "running":
                trial.progress, trial.metrics = event.progress, _json(event.metrics)
                session.add(trial)

    def trial_finished(self, run_id: str, event: TrialFinished) -> None:
        with self._session(writes=True) as session:
            known = session.get(Trial, (run_id, event.trial))
            fields = event.model_dump(exclude={"time", "event", "trial"})
            fields["metrics"], fields["hyperparameters"] = _json(event.metrics), _json(event.hyperparameters)
            fields["value"] = event.value if event.value is not None and event.value == event.value else None
            started = known.started if known else event.time - event.seconds
            session.merge(Trial(run_id=run_id, number=event.trial, started=started, finished=event.time, **fields))

    def run_finished(self, event: RunFinished | RunFailedEvent, resumed: RunResumed | None = None) -> None:
        """Trials that still run have ended with their run, which was `resumed` last."""
        with self._session(writes=True) as session:
            run = session.get(Run, event.run_id)
            if run is None:
                return
            if isinstance(event, RunFinished):
                result = event.result
                value = _dig(result, "best", "validation", run.metric)
                run.best_candidate = _text(_dig(result, "best", "candidate")) or None
                run.best_value = float(value) if isinstance(value, int | float) else None
                run.verdict = _text(result.get("verdict"))
                run.formats = list(result.get("formats") or [])
            else:
                run.reason = event.reason
            run.status, run.finished, run.seconds = event.status, event.time, event.time - run.created
            if resumed is not None:
                run.seconds = resumed.spent + event.time - resumed.started
            session.add(run)
            _end_trials(session, run, event.time)

    def bundle_exported(self, event: BundleExported) -> None:
        """The bundle of a run that had ended is another one now; nothing happens to a run that is not known here."""
        with self._session(writes=True) as session:
            run = session.get(Run, event.run_id)
            if run is None:
                return
            run.formats = list(event.formats)
            session.add(run)
            folder = Path(run.folder)
            for artifact in session.exec(select(Artifact).where(col(Artifact.run_id) == run.id)):
                if not (folder / artifact.path).is_file():
                    session.delete(artifact)
        self.artifacts_found(event.run_id)

    def artifact_added(self, run_id: str, kind: str, path: str | Path) -> ArtifactRecord:
        """Hash a file of the run's folder and remember it. `path` is relative to that folder, or inside it."""
        with self._session() as session:
            run = session.get(Run, run_id)
            if run is None:
                raise InputError(f"no run {run_id!r} in {self.shown_url}", hint="autoft runs")
            folder = Path(run.folder)
        file = (folder / path).absolute()
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{file} is not inside {folder}")
        # Before the transaction: a large file takes a while, and others want to write.
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        name = file.relative_to(folder).as_posix()
        artifact = Artifact(run_id=run_id, kind=kind, path=name, sha256=digest, bytes=file.stat().st_size)
        record = ArtifactRecord.model_validate(artifact.model_dump())
        with self._session(writes=True) as session:
            session.merge(artifact)
        return record

    def artifacts_found(self, run_id: str) -> None:
        """Remember what stands in the run's folder: the files of `KINDS` and those of the bundle."""
        folder = Path(self.run(run_id).folder)
        found = [(kind, folder / name) for name, kind in KINDS.items()]
        found += [("bundle", file) for file in sorted((folder / "bundle").rglob("*"))]
        for kind, file in found:
            if file.is_file() and not file.is_symlink():
                self.artifact_added(run_id, kind, file)

    def adopt(self, folder: Path) -> RunRecord:
        """Take in a run from its folder, by its events.jsonl: one of another machine, or one that was moved. Raises InputError."""
        recorder, run_id = Recorder(self, here=False), ""
        for event in read_events(folder / "events.jsonl"):
            if isinstance(event, RunStarted | RunResumed):
                event, run_id = event.model_copy(update={"folder": str(folder.absolute())}), event.run_id
            recorder.event(event)
        if not run_id:
            raise InputError(f"{folder / 'events.jsonl'} holds no start of a run", hint="autoft runs")
        with self._session(writes=True) as session:
            run = session.get(Run, run_id)
            if run is not None and run.status == "running":
                self._abort(session, run)
        return self.run(run_id)

    # Reading

    def runs(self, limit: int | None = None) -> list[RunRecord]:
        """The newest first. A run whose process is gone from this machine has become aborted."""
        self._notice_deaths()
        with self._session() as session:
            query = select(Run).order_by(col(Run.created).desc(), col(Run.id).desc()).limit(limit)
            return [RunRecord.model_validate(run.model_dump()) for run in session.exec(query)]

    def run(self, run_id: str) -> RunRecord:
        """Raises InputError."""
        self._notice_deaths()
        with self._session() as session:
            run = session.get(Run, run_id)
            if run is None:
                raise InputError(f"no run {run_id!r} in {self.shown_url}", hint="autoft runs")
            return RunRecord.model_validate(run.model_dump())

    def trials(self, run_id: str) -> list[TrialRecord]:
        """By number."""
        with self._session() as session:
            query = select(Trial).where(col(Trial.run_id) == run_id).order_by(col(Trial.number))
            return [TrialRecord.model_validate(trial.model_dump()) for trial in session.exec(query)]

    def artifacts(self, run_id: str) -> list[ArtifactRecord]:
        """By path."""
        with self._session() as session:
            query = select(Artifact).where(col(Artifact.run_id) == run_id).order_by(col(Artifact.path))
            return [ArtifactRecord.model_validate(found.model_dump()) for found in session.exec(query)]

    def find_run(self, text: str) -> RunRecord:
        """By id, `last`, output folder or unique prefix, in this order. Raises InputError with the nearest."""
        runs = self.runs()
        by_id = {run.id: run for run in runs}
        if text in by_id:
            return by_id[text]
        if text == "last" and runs:
            return runs[0]
        folder = Path(text).absolute()
        for run in runs:
            if Path(run.folder) == folder or (folder.exists() and Path(run.folder).resolve() == folder.resolve()):
                return run
        if (folder / "events.jsonl").is_file():
            return self.adopt(folder)
        matches = [run for run in runs if text and run.id.startswith(text)]
        if len(matches) == 1:
            return matches[0]
        raise self._unfound(text, [run.id for run in matches], list(by_id))

    def _unfound(self, text: str, matches: list[str], known: list[str]) -> InputError:
        if matches:
            return InputError(f"{text!r} begins {len(matches)} runs: {', '.join(matches[:5])}", hint="write more of the id, or `last`")
        if not known:
            return InputError(f"no run {text!r}: {self.shown_url} holds none yet", hint="autoft run data.csv")
        close = get_close_matches(text, known, n=3, cutoff=0.3) or known[:3]
        return InputError(f"no run {text!r}; the nearest: {', '.join(close)}", hint="autoft runs lists them all")

    def _notice_deaths(self) -> None:
        with self._session() as session:
            running = session.exec(select(Run).where(col(Run.status) == "running")).all()
            gone = [run.id for run in running if liveness.is_gone(run.host, run.pid, run.process)]
        if not gone:
            return
        with self._session(writes=True) as session:
            for run_id in gone:
                run = session.get(Run, run_id)
                if run is not None and run.status == "running" and liveness.is_gone(run.host, run.pid, run.process):
                    self._abort(session, run)

    def _abort(self, session: Session, run: Run) -> None:
        run.status, run.reason = "aborted", "the process ended without a word"
        seen = [t.finished or t.started for t in session.exec(select(Trial).where(col(Trial.run_id) == run.id))]
        run.finished = max([run.created, *seen])
        run.seconds = run.finished - run.created if run.seconds is None else run.seconds  # of a resumed run at least that
        session.add(run)
        _end_trials(session, run, run.finished)


class Recorder:
    """Writes the stream of one run. On its end the files that the run left are remembered too."""

    def __init__(self, store: Store, settings: Mapping[str, Any] | None = None, *, here: bool = True) -> None:
        self._store, self._settings, self._here = store, settings, here
        self._run_id: str | None = None
        self._resumed: RunResumed | None = None

    def event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._run_id, self._resumed = event.run_id, None
            self._store.run_started(event, self._settings, here=self._here)
        elif isinstance(event, RunResumed):
            self._run_id, self._resumed = event.run_id, event
            if self._here:
                self._store.run_resumed(event)
            else:
                self._store.run_started(event, here=False)
        elif isinstance(event, BundleExported):
            self._store.bundle_exported(event)
        elif self._run_id is None:
            return  # remarks that come before the run has a name
        elif isinstance(event, TrialStarted):
            self._store.trial_started(self._run_id, event)
        elif isinstance(event, TrialReported):
            self._store.trial_reported(self._run_id, event)
        elif isinstance(event, TrialFinished):
            self._store.trial_finished(self._run_id, event)
        elif isinstance(event, RunFinished | RunFailedEvent):
            self._store.run_finished(event, self._resumed)
            self._store.artifacts_found(event.run_id)


def find_run(text: str) -> RunRecord:
    """`Store.find_run` on the default database."""
    store = Store()
    try:
        return store.find_run(text)
    finally:
        store.close()


def _end_trials(session: Session, run: Run, when: float) -> None:
    for trial in session.exec(select(Trial).where(col(Trial.run_id) == run.id, col(Trial.status) == "running")):
        trial.status, trial.reason = "stopped", "ended with its run"
        trial.finished, trial.seconds = when, max(0.0, when - trial.started)
        session.add(trial)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON: no paths, no NumPy numbers, and no NaN, which PostgreSQL refuses."""
    return {str(key): _plain(item) for key, item in value.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _json(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and callable(value.item) and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).replace("\x00", "\ufffd")


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return "" if value is None else str(value)
