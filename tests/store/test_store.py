"""Runs, trials and artifacts, on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoft.errors import AutoftError, InputError
from autoft.interfaces.events import BundleExported, RunFailedEvent, RunFinished, RunResumed, TrialFinished, TrialStarted
from autoft.store import Recorder, Store
from autoft.store.address import masked


def test_the_stream_of_a_run_is_remembered(store, stream, tmp_path):
    folder = tmp_path / "out"
    events = stream.events(folder)
    (folder / "bundle" / "onnx").mkdir(parents=True)
    (folder / "bundle" / "onnx" / "model.onnx").write_bytes(b"graph")
    for event in events:
        store.event(event)
    run = store.run("reviews-1")
    assert (run.status, run.task, run.data, run.metric) == ("done", "text-classification", "reviews.csv", "f1_macro")
    assert (run.best_candidate, run.best_value) == ("full:all-mpnet-base-v2", 0.91)
    assert run.settings == {"seed": 7}
    assert run.verdict == stream.RESULT["verdict"]
    assert run.seconds == pytest.approx(80)
    trials = store.trials("reviews-1")
    assert [(t.number, t.status, t.value, t.stage) for t in trials] == [
        (1, "done", 0.80, "baselines"),
        (2, "stopped", 0.70, "search"),
        (3, "done", 0.91, "search"),
        (4, "failed", None, "search"),
    ]
    assert trials[2].hyperparameters == stream.POINT
    assert trials[3].reason == "TrialError: out of memory"
    artifacts = {a.path: a for a in store.artifacts("reviews-1")}
    assert artifacts["bundle/onnx/model.onnx"].sha256 == hashlib.sha256(b"graph").hexdigest()
    assert artifacts["bundle/onnx/model.onnx"].bytes == 5
    assert artifacts["run.json"].kind == "settings"


def test_a_trial_is_there_while_it_runs(store, stream, tmp_path):
    for event in stream.events(tmp_path / "out")[:10]:
        store.event(event)
    running = {t.number: t for t in store.trials("reviews-1") if t.status == "running"}
    assert running[3].progress == 50
    assert running[3].metrics == {"f1_macro": 0.88}


def test_figures_that_are_no_numbers_and_odd_characters_are_stored(store, stream, tmp_path):
    store.event(stream.events(tmp_path / "out")[0])
    point = {"rate": float("nan"), "path": Path("a"), "word": "nul\x00 \u202e 语言 🙂"}
    store.event(TrialStarted(trial=9, candidate="x", hyperparameters=point))
    ended = stream.finished(9, "x", float("nan"), hyperparameters=point)
    store.event(ended.model_copy(update={"metrics": {"f1_macro": float("nan")}}))
    (trial,) = store.trials("reviews-1")
    assert trial.value is None
    assert trial.metrics == {"f1_macro": None}
    assert trial.hyperparameters == {"rate": None, "path": "a", "word": "nul\ufffd \u202e 语言 🙂"}


def test_trials_that_ran_end_with_a_failed_run(store, stream, tmp_path):
    for event in stream.events(tmp_path / "out")[:8]:
        store.event(event)
    store.event(RunFailedEvent(run_id="reviews-1", status="aborted", reason="KeyboardInterrupt: "))
    run = store.run("reviews-1")
    assert (run.status, run.reason) == ("aborted", "KeyboardInterrupt: ")
    assert [t.status for t in store.trials("reviews-1")] == ["done", "stopped", "stopped"]


def _three_runs(store, stream, tmp_path):
    for number, name in enumerate(["reviews-1", "reviews-2", "spam-1"]):
        started = stream.events(tmp_path / name)[0]
        store.run_started(started.model_copy(update={"run_id": name, "time": stream.T0 + number}))


def test_a_run_is_found_by_id_prefix_last_and_folder(store, stream, tmp_path, monkeypatch):
    _three_runs(store, stream, tmp_path)
    assert store.find_run("reviews-1").id == "reviews-1"
    assert store.find_run("sp").id == "spam-1"
    assert store.find_run("last").id == "spam-1"
    assert store.find_run(str(tmp_path / "reviews-2")).id == "reviews-2"
    monkeypatch.chdir(tmp_path)
    assert store.find_run("./reviews-2/").id == "reviews-2"
    assert [run.id for run in store.runs(limit=2)] == ["spam-1", "reviews-2"]


def test_an_ambiguous_or_absent_run_names_the_nearest(store, stream, tmp_path):
    with pytest.raises(InputError, match="holds none yet"):
        store.find_run("last")
    _three_runs(store, stream, tmp_path)
    with pytest.raises(InputError, match="begins 2 runs: reviews-2, reviews-1"):
        store.find_run("rev")
    with pytest.raises(InputError, match="nearest: spam-1") as error:
        store.find_run("spma-1")
    assert error.value.hint
    assert error.value.exit_code == 2


def _resumed(stream, folder, at):
    first = stream.events(folder)[0]
    facts = first.model_dump(exclude={"event", "time"})
    return RunResumed(**facts, time=stream.T0 + at, started=stream.T0 + at - 3, spent=60.0)


def test_a_resumed_run_has_one_row_a_trial_and_the_time_that_it_was_alive(store, stream, tmp_path):
    folder = tmp_path / "out"
    before = stream.events(folder)[:13]
    for number, event in enumerate(before):
        if number not in (4, 10):  # two ends of trials were lost with the power
            store.event(event)
    store.run_finished(RunFailedEvent(run_id="reviews-1", status="aborted", reason="gone"))
    resumed = _resumed(stream, folder, 5000.0)
    (folder / "events.jsonl").write_text("\n".join(event.model_dump_json() for event in [*before, resumed]) + "\n", encoding="utf-8")
    recorder = Recorder(store)
    recorder.event(resumed)
    run = store.run("reviews-1")
    assert (run.status, run.reason, run.finished, run.created) == ("running", "", None, stream.T0)
    assert [(t.number, t.status, t.value) for t in store.trials("reviews-1")] == [
        (1, "done", 0.80),
        (2, "stopped", 0.70),
        (3, "done", 0.91),
    ]
    recorder.event(TrialStarted(trial=4, candidate="x", hyperparameters={}))
    recorder.event(stream.finished(4, "x", 0.5))
    recorder.event(RunFinished(run_id="reviews-1", status="done", result=stream.RESULT, time=stream.T0 + 5037.0))
    assert store.run("reviews-1").seconds == 100.0
    assert [t.status for t in store.trials("reviews-1")] == ["done", "stopped", "done", "done"]


def test_a_resumed_run_of_another_database_is_taken_in(store, stream, tmp_path):
    folder = tmp_path / "out"
    before = stream.events(folder)[:12]
    events = [*before, _resumed(stream, folder, 5000.0)]
    (folder / "events.jsonl").write_text("".join(event.model_dump_json() + "\n" for event in events), encoding="utf-8")
    store.event(events[-1])
    assert len(store.trials("reviews-1")) == 3
    assert store.run("reviews-1").pid == os.getpid()


def test_a_folder_of_a_run_that_was_resumed_is_adopted(store, stream, tmp_path):
    folder = tmp_path / "out"
    events = stream.events(folder)
    told = [*events[:9], _resumed(stream, folder, 5000.0), *events[9:]]
    (folder / "events.jsonl").write_text("".join(event.model_dump_json() + "\n" for event in told), encoding="utf-8")
    run = store.adopt(folder)
    assert (run.status, run.pid) == ("done", 0)
    assert [t.number for t in store.trials(run.id)] == [1, 2, 3, 4]


def test_a_moved_folder_is_adopted_by_its_events(store, stream, tmp_path):
    old = tmp_path / "old"
    lines = [event.model_dump_json() for event in stream.events(old)]
    (old / "events.jsonl").write_text("\n".join(lines) + '\n{"event": "rem', encoding="utf-8")
    new = old.rename(tmp_path / "new")
    run = store.find_run(str(new))
    assert (run.id, run.status, run.folder, run.pid) == ("reviews-1", "done", str(new), 0)
    assert len(store.trials(run.id)) == 4
    (new / "events.jsonl").write_text("no event\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        store.adopt(new)


def test_a_line_separator_within_a_text_ends_no_line(store, stream, tmp_path):
    folder = tmp_path / "out"
    lines = [event.model_dump_json() for event in stream.events(folder)]
    odd = TrialFinished(trial=9, candidate="x", status="failed", progress=0, metrics={}, value=None, seconds=1, hyperparameters={},
                        reason="before\u2028after")  # fmt: skip
    (folder / "events.jsonl").write_text("\n".join([*lines[:-1], odd.model_dump_json(), lines[-1], ""]), encoding="utf-8")
    run = store.adopt(folder)
    assert run.status == "done"
    assert {t.number: t.reason for t in store.trials(run.id)}[9] == "before\u2028after"


def test_an_artifact_is_hashed_while_others_may_write(store, stream, tmp_path, monkeypatch):
    store.event(stream.events(tmp_path / "out")[0])
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "large").write_bytes(b"x")
    real, open_now = hashlib.file_digest, []

    def digest(file, name):
        open_now.append(store._engine.pool.checkedout() if hasattr(store._engine.pool, "checkedout") else 0)
        store.event(TrialStarted(trial=7, candidate="x", hyperparameters={}))
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    assert store.artifact_added("reviews-1", "x", "large").bytes == 1
    assert open_now == [0]


def test_an_artifact_outside_the_folder_is_refused(store, stream, tmp_path):
    store.event(stream.events(tmp_path / "out")[0])
    (tmp_path / "secret").write_text("x")
    with pytest.raises(ValueError, match="not inside"):
        store.artifact_added("reviews-1", "x", "../secret")


_WRITER = """
import sys, pathlib
from autoft.interfaces.events import RunStarted, TrialStarted, TrialReported, TrialFinished, RunFinished
from autoft.store import Store
url, name, folder = sys.argv[1:]
print("ready", flush=True); sys.stdin.readline()
store = Store(url)
store.event(RunStarted(run_id=name, folder=folder, data="d", task="t", candidates=("a",), budget=None, metric="f1"))
for k in range(1, 16):
    store.event(TrialStarted(trial=k, candidate="a", hyperparameters={"k": k}))
    store.event(TrialReported(trial=k, progress=50, metrics={"f1": 0.1}))
    store.event(TrialFinished(trial=k, candidate="a", status="done", progress=100, metrics={"f1": k / 100}, value=k / 100,
                              seconds=0.1, hyperparameters={"k": k}))
store.event(RunFinished(run_id=name, status="done", result={"best": {"candidate": "a", "validation": {"f1": 0.15}}}))
"""


def _process(code: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def test_four_processes_open_a_new_database_at_once_and_write(url, tmp_path):
    processes = [_process(_WRITER, url, f"run-{n}", str(tmp_path / f"out-{n}")) for n in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    store = Store(url)
    runs = store.runs()
    assert sorted(run.id for run in runs) == [f"run-{n}" for n in range(4)]
    for run in runs:
        assert run.status == "done"
        assert [t.value for t in store.trials(run.id)] == [k / 100 for k in range(1, 16)]
    store.close()


_KILLED = (
    _WRITER.split("for k in")[0]
    + """
store.event(TrialStarted(trial=1, candidate="a", hyperparameters={}))
print("on", flush=True)
sys.stdin.readline()
"""
)


def test_a_killed_run_is_aborted_when_it_is_looked_at(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    process = _process(_KILLED, url, "doomed", str(tmp_path / "out"))
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "on\n"
    store = Store(url)
    assert store.run("doomed").status == "running"
    os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.2)  # not waited for: a zombie counts as gone too
    assert store.runs()[0].status == "aborted"
    process.communicate()
    assert store.run("doomed").finished is not None
    assert [t.status for t in store.trials("doomed")] == ["stopped"]


def test_a_run_of_another_machine_or_a_live_one_stays_running(store, stream, tmp_path, monkeypatch):
    started = stream.events(tmp_path / "out")[0]
    monkeypatch.setattr("autoft.store.liveness.this_host", lambda: "elsewhere")
    store.run_started(started)
    monkeypatch.undo()
    store.run_started(started.model_copy(update={"run_id": "mine"}))
    assert {run.id: run.status for run in store.runs()} == {"reviews-1": "running", "mine": "running"}


def test_a_bundle_that_got_further_formats(store, stream, tmp_path):
    for event in stream.events(tmp_path / "out"):
        store.event(event)
    bundle = tmp_path / "out" / "bundle" / "onnx"
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes(b"12345")
    store.artifacts_found("reviews-1")
    (bundle / "model.onnx").rename(bundle / "model_quantized.onnx")
    formats = ({"name": "onnx-int8", "bytes": 5, "loss": {"points": 0.1}},)
    store.event(BundleExported(run_id="reviews-1", formats=formats))
    assert store.run("reviews-1").formats == list(formats)
    names = {artifact.path for artifact in store.artifacts("reviews-1")}
    assert "bundle/onnx/model_quantized.onnx" in names
    assert "bundle/onnx/model.onnx" not in names
    store.event(BundleExported(run_id="unknown", formats=formats))


def test_two_recorders_keep_two_runs_apart(store, stream, tmp_path):
    first, second = Recorder(store, {"seed": 1}), Recorder(store, {"seed": 2})
    started = stream.events(tmp_path / "out")[0]
    for name, recorder in (("a", first), ("b", second)):
        recorder.event(started.model_copy(update={"run_id": name}))
    first.event(stream.finished(1, "linear", 0.5))
    second.event(stream.finished(1, "linear", 0.6))
    assert [store.trials(name)[0].value for name in "ab"] == [0.5, 0.6]
    assert [store.run(name).settings["seed"] for name in "ab"] == [1, 2]


def test_sqlite_writes_ahead(tmp_path):
    import sqlite3

    Store(f"sqlite:///{tmp_path}/a.db").close()
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p@ss/w:rd@db.example/runs", "postgresql://me:***@db.example/runs"),
        ("postgresql+psycopg://me@db/runs?password=hush&sslmode=require", "postgresql+psycopg://me@db/runs?password=***&sslmode=require"),
        ("sqlite:////home/me/a.db", "sqlite:////home/me/a.db"),
    ],
)
def test_passwords_are_masked(url, shown):
    assert masked(url) == shown


def test_an_unreachable_database_is_refused_without_its_password():
    pytest.importorskip("psycopg")
    with pytest.raises(InputError) as error:
        Store("postgresql://me:hush-hush@127.0.0.1:1/runs?connect_timeout=2")
    assert "hush-hush" not in error.value.message
    assert "me:***@127.0.0.1" in error.value.message


@pytest.mark.parametrize("url", ["banana", "banana://x/y"])
def test_what_is_no_database_is_refused(url):
    with pytest.raises(InputError, match="banana"):
        Store(url)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "a.db").write_bytes(b"PNG" * 2000)
    with pytest.raises(InputError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path}/a.db")


def test_a_database_that_goes_away_is_an_error_in_words(store, url, stream, tmp_path):
    from sqlalchemy import text

    with store._engine.execution_options(writes=True).begin() as connection:
        for table in ("artifact", "trial", "run"):
            connection.execute(text(f"DROP TABLE {table}"))
    with pytest.raises(AutoftError, match="cannot be written") as error:
        store.event(stream.events(tmp_path / "out")[0])
    assert "s3cret" not in str(error.value)


def test_the_environment_names_the_default(tmp_path, monkeypatch):
    from autoft.store import find_run
    from autoft.store.address import default_url

    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path}/b.db")
    with pytest.raises(InputError, match="none yet"):
        find_run("last")
    assert (tmp_path / "b.db").exists()
    monkeypatch.delenv("AUTOFT_DATABASE")
    assert default_url().startswith("sqlite:///")


def test_events_before_the_start_are_no_trouble(store):
    store.event(TrialFinished(trial=1, candidate="a", status="done", progress=100, metrics={}, value=1.0, seconds=1.0, hyperparameters={}))
    assert store.runs() == []
