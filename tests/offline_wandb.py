"""What Weights & Biases left of a run that was offline, read by the library's own messages, and what it has to hold."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoft.interfaces.events import Event, TrialStarted
from tracked_run import LONGER, asked, ended, final, left, parameters, steps, values

_SECONDS = 60
"""For the library's own process to end a run's file."""


def check_wandb(home: Path, folder: Path, stream: list[Event]) -> None:
    """Every trial, step and parameter of `stream`, and what the run left in `folder`, is in the offline runs of `home`."""
    found: dict[str, tuple[Path, list[Any]]] = {}
    for path in sorted(home.glob("offline-run-*/run-*.wandb")):
        records = whole_records(path)
        begun = next((one for one in records if one.HasField("run")), None)
        if begun is not None:  # of a run that was killed the library may not have written even the beginning
            assert not begun.run.host, "nothing of the machine is recorded"
            found[begun.run.run_id] = (path, records)
    name = stream[0].run_id
    trials = {int(run.rpartition("-")[2]): records for run, (_, records) in found.items() if run != name}
    assert set(found) == {name, *(f"{name}-trial-{trial}" for trial in ended(stream))}
    for records in (found[name][1], *trials.values()):
        assert {one.run.run_group for one in records if one.HasField("run")} == {name}
    stages = {event.trial: event.stage for event in stream if isinstance(event, TrialStarted)}
    wanted = {trial: {"trial": trial, "stage": stages[trial], **one} for trial, one in parameters(stream).items()}
    assert {trial: _config(records) for trial, records in trials.items()} == wanted
    for trial, records in trials.items():
        assert {one.run.job_type for one in records if one.HasField("run")} == {"trial"}
        _check_trial(records, trial, stream)
    _check_parent(*found[name], folder, stream)


def _check_trial(records: list[Any], trial: int, stream: list[Event]) -> None:
    told = [row for row in _history(records) if "progress" in row]
    found = [(name, row["progress"], value) for row in told for name, value in row.items() if name != "progress"]
    reported = [one for one in steps(stream)[trial] if not one[0].startswith("best_") and one[0] != "seconds"]
    assert sorted(found) == reported
    end = ended(stream)[trial]
    figures = {name: value for name, _, value in steps(stream)[trial] if name.startswith("best_") or name == "seconds"}
    wanted = {**figures, "status": end.status, "reason": end.reason, "ended_at": end.progress}
    summary = _summary(records)
    assert {name: summary[name] for name in wanted} == wanted
    assert [one.exit.exit_code for one in records if one.HasField("exit")] == [int(end.status == "failed")]


def _check_parent(path: Path, records: list[Any], folder: Path, stream: list[Event]) -> None:
    """The figures, the files and the bundle, which waits as an artifact for `wandb sync`."""
    assert {one.run.job_type for one in records if one.HasField("run")} == {"run"}
    once = sum(1 for _ in path.parent.parent.glob(f"*/{path.name}")) == 1  # each session has a folder, and this is the last one's
    config = {**asked(folder, stream), **({} if once else {"budget": LONGER})}
    assert _config(records) == {name: value for name, value in config.items() if value is not None}
    if once:
        assert sorted((row["trial"], row["value"]) for row in _history(records) if "value" in row) == values(stream)
    summary = _summary(records)
    assert {name: summary[name] for name in final(stream)} == final(stream)
    assert summary["reason"] == stream[-1].result["verdict"]
    told = left(folder)
    named = {item.path for one in records if one.HasField("files") for item in one.files.files}
    assert named == {name for name in told if "/" not in name}
    assert {name: hashlib.sha256((path.parent / "files" / name).read_bytes()).hexdigest() for name in named} == {
        name: told[name] for name in named
    }
    (artifact,) = [one.artifact for one in records if one.HasField("artifact")]
    assert artifact.type == "model"
    bundle = {name.removeprefix("bundle/") for name in told if name.startswith("bundle/")}
    assert {entry.path for entry in artifact.manifest.contents} == bundle
    for entry in artifact.manifest.contents:
        content = (folder / "bundle" / entry.path).read_bytes()
        assert b64decode(entry.digest) == hashlib.md5(content).digest()
        assert Path(entry.local_path).read_bytes() == content, f"{entry.path} is there to be sent"


def whole_records(path: Path) -> list[Any]:
    """Once the library's own process has ended the run's file, unless a later session began another; that was killed with its process."""
    until = time.monotonic() + _SECONDS
    killed = path.parent.name != max(one.parent.name for one in path.parent.parent.glob(f"*/{path.name}"))
    while True:
        records = list(wandb_records(path))
        if killed or any(one.HasField("exit") for one in records) or time.monotonic() > until:
            return records
        time.sleep(0.1)


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run's file, which is a log of blocks as LevelDB writes them, parsed by the library's own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    header, block = 7, 32768
    data = path.read_bytes()
    assert data[:4] == b":W&B"
    place, parts = header, b""
    while place + header <= len(data):
        room = block - place % block
        if room < header:
            place += room
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + header])
        if kind == 0:
            place += room
            continue
        parts += data[place + header : place + header + length]
        place += header + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def _config(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in records:
        updates = one.run.config.update if one.HasField("run") else one.config.update
        found |= _told(updates)
    return found


def _summary(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in records:
        found |= _told(one.summary.update)
    return found


def _history(records: list[Any]) -> list[dict[str, Any]]:
    return [_told(one.history.item) for one in records if one.HasField("history")]


def _told(items: Any) -> dict[str, Any]:
    """Without what the library adds of its own."""
    found = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}
    return {name: value for name, value in found.items() if not name.startswith("_")}
