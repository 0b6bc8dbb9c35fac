"""A finished run as its stream tells it, and what a tracker's record of it has to hold."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from autoft.interfaces.events import Event, RunFinished, RunResumed, RunStarted, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.tracker import Tracker
from autoft.tracking import Trackers
from stream_of_events import events

KILLED = """
import importlib, os, pathlib, sys
from autoft.interfaces.events import EVENTS
module, name, run_id, folder = sys.argv[1:]
tracker = getattr(importlib.import_module(module), name)()
tracker.open(run_id, pathlib.Path(folder))
for line in sys.stdin:
    tracker.event(EVENTS.validate_json(line))
os._exit(9)
"""
CUT = 9
"""How many events the first session of the interrupted run told: trial 2 had reported, trial 3 had not."""

LONGER = 540.0
"""The budget, in seconds, that the second session was given."""
_ENDS = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def left_behind(folder: Path, run_id: str = "reviews-1") -> list[Event]:
    """The stream, and beside it the files that a run leaves."""
    stream = [event.model_copy(update={"run_id": run_id}) if hasattr(event, "run_id") else event for event in events(folder)]
    (folder / "bundle" / "onnx").mkdir(parents=True)
    (folder / "bundle" / "autoft.json").write_text("{}")
    (folder / "bundle" / "onnx" / "model.onnx").write_bytes(b"graph")
    for name in ("report.html", "leaderboard.csv", "result.json"):
        (folder / name).write_text(f"this is {name}\n")
    return stream


def resumed(stream: list[Event]) -> RunResumed:
    begun = next(event for event in stream if isinstance(event, RunStarted))
    facts = begun.model_dump(exclude={"event", "time", "budget"})
    return RunResumed(**facts, budget=LONGER, time=begun.time + 300, started=begun.time + 290, spent=45.0)


def tell(tracker: Tracker, stream: Iterable[Event]) -> list[str]:
    """As a run does; the warnings."""
    trackers = Trackers([tracker], seconds=120)
    return [warning for event in stream for warning in trackers.notify(event)]


def tell_in_two_sessions(make: type, stream: list[Event]) -> None:
    """The process is killed behind the event `CUT`, and another one goes on: trials 2 and 3 begin again."""
    begun = stream[0]
    assert isinstance(begun, RunStarted)
    lines = "\n".join(event.model_dump_json() for event in stream[:CUT])
    command = [sys.executable, "-c", KILLED, make.__module__, make.__name__, begun.run_id, begun.folder]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("WANDB_SERVICE", None)  # a process of the library's that this one has started would be shared
    done = subprocess.run(command, input=lines, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 9, done.stderr
    again = [event for event in stream[:CUT] if isinstance(event, TrialStarted | TrialReported) and event.trial in (2, 3)]
    warnings = tell(make(), [resumed(stream), *again, *stream[CUT:]])
    assert not warnings, warnings


def asked(folder: Path, stream: list[Event]) -> dict[str, object]:
    """The parent's parameters."""
    begun = next(event for event in stream if isinstance(event, RunStarted))
    seed = json.loads((folder / "run.json").read_text())["settings"]["seed"]
    told = {name: getattr(begun, name) for name in ("data", "task", "metric", "budget")}
    return {**told, "candidates": ",".join(begun.candidates), "seed": seed}


def ended(stream: list[Event]) -> dict[int, TrialFinished]:
    return {event.trial: event for event in stream if isinstance(event, TrialFinished)}


def values(stream: list[Event]) -> list[tuple[int, float]]:
    """The parent's figure by trial."""
    return sorted((trial, event.value) for trial, event in ended(stream).items() if event.value is not None)


def left(folder: Path) -> dict[str, str]:
    """The sha256 of all files that go along with a run, by their names in its folder."""
    found = [folder / name for name in ("report.html", "leaderboard.csv", "result.json")]
    found += [path for path in (folder / "bundle").rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def parameters(stream: list[Event]) -> dict[int, dict[str, object]]:
    return {event.trial: {"candidate": event.candidate, **event.hyperparameters} for event in stream if isinstance(event, TrialFinished)}


def steps(stream: list[Event]) -> dict[int, list[tuple[str, int, float]]]:
    """By trial: name, percent and value of all that was reported, and of its best at its end."""
    found: dict[int, list[tuple[str, int, float]]] = {trial: [] for trial in parameters(stream)}
    for event in stream:
        if isinstance(event, TrialReported):
            found[event.trial] += [(name, event.progress, value) for name, value in {**event.metrics, **event.measures}.items()]
        if isinstance(event, TrialFinished):
            found[event.trial] += [(f"best_{name}", event.progress, value) for name, value in event.metrics.items()]
            found[event.trial].append(("seconds", event.progress, event.seconds))
    return {trial: sorted(one) for trial, one in found.items()}


def final(stream: list[Event]) -> dict[str, float]:
    """Of the parent."""
    ended = stream[-1]
    assert isinstance(ended, RunFinished)
    best, baseline = ended.result["best"], ended.result["baseline"]
    return {
        "trials": ended.result["trials"],
        "seconds": ended.result["seconds"],
        **{f"validation_{name}": value for name, value in best["validation"].items()},
        **{f"test_{name}": value for name, value in best["test"].items()},
        **{f"baseline_validation_{name}": value for name, value in baseline["validation"].items()},
        **{f"baseline_test_{name}": value for name, value in baseline["test"].items()},
    }


def check_json_lines(folder: Path, stream: list[Event]) -> None:
    """Every trial, step and parameter of `stream` is in `tracked.jsonl`, and what the run left is named there."""
    lines = [json.loads(line) for line in (folder / "tracked.jsonl").read_text().splitlines()]
    assert {line["run"] for line in lines} == {stream[0].run_id}
    assert (lines[0]["what"], lines[0]["parameters"]) == ("started", asked(folder, stream))
    found_ended = {line["trial"]: line for line in lines if line["what"] == "trial_finished"}
    assert {trial: {"candidate": line["candidate"], **line["parameters"]} for trial, line in found_ended.items()} == parameters(stream)
    assert {trial: (line["status"], line["reason"]) for trial, line in found_ended.items()} == {
        trial: (one.status, one.reason) for trial, one in ended(stream).items()
    }
    found: dict[int, list[tuple[str, int, float]]] = {}
    for line in lines:
        if line["what"] == "trial_started":
            found[line["trial"]] = []  # what a trial told before it began again is before this line
        if line["what"] in ("trial_reported", "trial_finished"):
            found[line["trial"]] += [(name, line["step"], value) for name, value in line["metrics"].items()]
    assert {trial: sorted(one) for trial, one in found.items()} == steps(stream)
    assert (lines[-1]["what"], lines[-1]["metrics"]) == ("ended", final(stream))
    assert Path(lines[-1]["bundle"]).resolve() == (folder / "bundle").resolve()
    assert [Path(path).name for path in lines[-1]["files"]] == ["report.html", "leaderboard.csv", "result.json"]


def close(found: list[tuple[str, int, float]], wanted: list[tuple[str, int, float]]) -> bool:
    """Event files hold numbers of 32 bits."""
    return [one[:2] for one in found] == [one[:2] for one in wanted] and [one[2] for one in found] == pytest.approx(
        [one[2] for one in wanted]
    )


def check_tensorboard(folder: Path, stream: list[Event]) -> None:
    """The same of the event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    from autoft_plugins.trackers.telling import plain

    home = folder / "tensorboard"
    trials = {int(path.name.partition("-")[2]): path for path in home.glob("trial-*")}
    assert set(trials) == set(parameters(stream))
    for trial, path in trials.items():
        read = EventAccumulator(str(path)).Reload()
        found = sorted((name, one.step, one.value) for name in read.Tags()["scalars"] for one in read.Scalars(name))
        assert close(found, steps(stream)[trial])
        (start,) = [
            data.session_start_info
            for content in read.PluginTagToContent("hparams").values()
            if (data := HParamsPluginData.FromString(content)).HasField("session_start_info")
        ]
        told_of = {name: getattr(value, str(value.WhichOneof("kind"))) for name, value in start.hparams.items()}
        assert told_of == {name: plain(value) for name, value in parameters(stream)[trial].items()}
        assert start.group_name == path.name
        end = ended(stream)[trial]
        assert _text(read, "status") == f"{end.status} {end.reason}".strip()
    read = EventAccumulator(str(home / "run")).Reload()
    scalars = {name: read.Scalars(name) for name in read.Tags()["scalars"]}
    assert {name: one[-1].value for name, one in scalars.items() if name != "value"} == pytest.approx(final(stream))
    assert close(sorted(("value", one.step, one.value) for one in scalars["value"]), [("value", *one) for one in values(stream)])
    (begun, *_) = read.Tensors("parameters/text_summary")
    text = begun.tensor_proto.string_val[0].decode()
    assert all(f"| {name} | {value} |" in text for name, value in asked(folder, stream).items())
    named = [Path(line.removeprefix("- ")) for line in _text(read, "files").splitlines()]
    assert [path.name for path in named] == ["report.html", "leaderboard.csv", "result.json", "bundle"]
    assert all(path.exists() or (folder.parent / path).exists() for path in named)


def _text(read: Any, tag: str) -> str:
    text: str = read.Tensors(f"{tag}/text_summary")[-1].tensor_proto.string_val[0].decode()
    return text


def check_mlflow(folder: Path, stream: list[Event]) -> Any:
    """One parent with the figures, the files and the bundle, byte for byte; a child a trial with its parameters and steps. The parent."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {int(run.data.tags["autoft.trial"]): run for run in runs if run.info.run_id != parent.info.run_id}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    wanted = {trial: {name: str(value) for name, value in one.items()} for trial, one in parameters(stream).items()}
    assert {trial: run.data.params for trial, run in children.items()} == wanted
    found = {
        trial: sorted((name, one.step, one.value) for name in run.data.metrics for one in client.get_metric_history(run.info.run_id, name))
        for trial, run in children.items()
    }
    assert found == steps(stream)
    assert {trial: _ended(run) for trial, run in children.items()} == {
        trial: (_ENDS[one.status], one.status, one.reason) for trial, one in ended(stream).items()
    }
    finish = stream[-1]
    assert isinstance(finish, RunFinished)
    assert _ended(parent) == ("FINISHED", "done", finish.result["verdict"])
    assert parent.data.tags["autoft.run_id"] == finish.run_id
    assert parent.data.params == {name: str(value) for name, value in asked(folder, stream).items() if value is not None}
    assert {name: value for name, value in parent.data.metrics.items() if name != "value"} == final(stream)
    assert sorted((one.step, one.value) for one in client.get_metric_history(parent.info.run_id, "value")) == values(stream)
    kept = Path(client.download_artifacts(parent.info.run_id, ""))
    artefacts = {path.relative_to(kept).as_posix(): path for path in kept.rglob("*") if path.is_file()}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in artefacts.items()} == left(folder)
    newest = max(client.search_model_versions("name='reviews'"), key=lambda one: int(one.version))
    assert (newest.run_id, newest.status) == (parent.info.run_id, "READY")
    assert newest.source == f"{parent.info.artifact_uri}/bundle"
    return parent


def _ended(run: Any) -> tuple[str, str, str]:
    return run.info.status, run.data.tags["autoft.status"], run.data.tags.get("autoft.reason", "")
