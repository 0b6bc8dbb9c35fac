"""What each tracker wrote of a run, read back with its own library: every trial, step and parameter."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from autoft.disk import write_json
from autoft.interfaces.events import Event
from tracked_run import check_json_lines, check_mlflow, check_tensorboard, final, left_behind, parameters, steps, tell, tell_in_two_sessions

Told = tuple[Path, list[Event]]

for library in ("mlflow", "wandb", "tensorboard"):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install 'autoft[{library}]'", allow_module_level=True)


@pytest.fixture(params=["whole", "resumed"], scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[type], Told]:
    """`told(Tracker)`: a run that this tracker heard of, in one session or in two."""

    def tell_of(make: type) -> Told:
        folder = tmp_path_factory.mktemp(make.__name__) / "run"
        stream = left_behind(folder, f"reviews-{request.param}")
        if request.param == "whole":
            assert tell(make(), stream) == []
        else:
            tell_in_two_sessions(make, stream)
        return folder, stream

    return tell_of


def test_json_lines(told: Callable[[type], Told]) -> None:
    from autoft_plugins.trackers.json_lines import JsonLines

    folder, stream = told(JsonLines)
    lines = check_json_lines(folder, stream)
    assert lines[-1]["metrics"] == final(stream)
    assert lines[-1]["bundle"] == str(folder / "bundle")
    assert [Path(path).name for path in lines[-1]["files"]] == ["report.html", "leaderboard.csv", "result.json"]


def test_a_shared_file_of_json_lines_goes_on_behind_a_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autoft_plugins.trackers.json_lines import JsonLines

    shared = tmp_path / "all.jsonl"
    shared.write_text('{"time": 1')
    monkeypatch.setenv("AUTOFT_JSONL", str(shared))
    assert tell(JsonLines(), left_behind(tmp_path / "run")) == []
    torn, *lines = shared.read_text().splitlines()
    assert torn == '{"time": 1'
    assert json.loads(lines[0])["what"] == "started"
    assert not (tmp_path / "run" / "tracked.jsonl").exists()


@pytest.fixture(scope="module")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store in a database, in a folder of its own: artefacts lie beside the working directory."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("AUTOFT_MLFLOW_MODEL", "reviews")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield str(folder)


def test_mlflow(told: Callable[[type], Told], mlflow_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from autoft_plugins.trackers.ml_flow import MLflow

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", f"mine-{len(os.listdir(mlflow_store))}-{id(told)}")  # noqa: PTH208
    folder, stream = told(MLflow)
    check_mlflow(stream)
    assert (folder / "trackers" / "mlflow.json").exists()


def test_tensorboard(told: Callable[[type], Told]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from autoft_plugins.trackers.tensor_board import TensorBoard

    folder, stream = told(TensorBoard)
    home = check_tensorboard(folder, stream)
    read = EventAccumulator(str(home / "run")).Reload()
    scalars = {name: read.Scalars(name) for name in read.Tags()["scalars"]}
    assert {name: one[-1].value for name, one in scalars.items() if name != "value"} == pytest.approx(final(stream))
    assert [one.step for one in scalars["value"]] == [1, 2, 3]
    assert str(folder / "bundle") in read.Tensors("files/text_summary")[-1].tensor_proto.string_val[0].decode()


def test_tensorboard_imports_neither_torch_nor_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from tracked_run import left_behind, tell\n"
        "from autoft_plugins.trackers.tensor_board import TensorBoard\n"
        "assert tell(TensorBoard(), left_behind(pathlib.Path(sys.argv[1]))) == []\n"
        "print(sorted({'torch', 'tensorflow', 'transformers', 'ray'} & set(sys.modules)))\n"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.fixture(scope="module")
def wandb_offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the user's, nothing over the network."""
    home = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_DIR", "WANDB_MODE"):
            patch.delenv(name, raising=False)
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "NETRC"):
            patch.setenv(name, str(home / name.lower()))
        patch.setenv("HOME", str(home))
        yield


def test_wandb_is_offline_without_a_key(told: Callable[[type], Told], wandb_offline: None) -> None:
    from autoft_plugins.trackers.weights_and_biases import WeightsAndBiases

    folder, stream = told(WeightsAndBiases)
    runs: dict[str, list[Any]] = {}
    for path in sorted((folder / "wandb").glob("offline-run-*/run-*.wandb")):
        records = whole_records(path)
        begun = next((one for one in records if one.HasField("run")), None)
        if begun is not None:  # of a run that was killed the library may not have written even the beginning
            runs[begun.run.run_id] = records
    trials = {int(run.rpartition("-")[2]): records for run, records in runs.items() if "-trial-" in run}
    name = stream[0].run_id
    assert set(runs) - {f"{name}-trial-{trial}" for trial in trials} == {name}
    configs = {trial: _config(records) for trial, records in trials.items()}
    wanted = {trial: {"trial": trial, **one} for trial, one in parameters(stream).items()}
    assert {trial: {name: value for name, value in one.items() if name in wanted[trial]} for trial, one in configs.items()} == wanted
    for trial, records in trials.items():
        assert {one.run.run_group for one in records if one.HasField("run")} == {name}
        found = []
        for one in records:
            values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in one.history.item}
            if "progress" in values:
                found += [(name, values["progress"], value) for name, value in values.items() if name != "progress" and name[0] != "_"]
        reported = [one for one in steps(stream)[trial] if not one[0].startswith("best_") and one[0] != "seconds"]
        assert sorted(found) == reported
        summary = _summary(records)
        ended = {name: value for name, _, value in steps(stream)[trial] if name.startswith("best_") or name == "seconds"}
        assert {name: summary[name] for name in ended} == ended
    parent = runs[name]
    assert {name: _summary(parent)[name] for name in final(stream)} == final(stream)
    assert [one.artifact.type for one in parent if one.HasField("artifact")] == ["model"] or any(
        one.HasField("request") and one.request.HasField("log_artifact") for one in parent
    )


def whole_records(path: Path) -> list[Any]:
    """Once the library's own process has ended the run's file, unless a later session began another; that was killed with its process."""
    until = time.monotonic() + 60
    killed = path.parent.name != max(one.parent.name for one in path.parent.parent.glob(f"*/{path.name}"))
    while True:
        records = list(wandb_records(path))
        if killed or any(one.HasField("exit") for one in records) or time.monotonic() > until:
            return records
        time.sleep(0.1)


def _config(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in records:
        updates = one.run.config.update if one.HasField("run") else one.config.update
        found |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in updates}
    return found


def _summary(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in records:
        found |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in one.summary.update}
    return found


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


def test_what_wandb_is_told_by_the_environment_holds(tmp_path: Path, wandb_offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from autoft_plugins.trackers.weights_and_biases import WeightsAndBiases

    asked = []
    tracker = WeightsAndBiases()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker.open("reviews-1", tmp_path)
    asked.append(tracker._mode)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    tracker.open("reviews-1", tmp_path)
    asked.append(tracker._mode)
    write_json(tmp_path / "run.json", {"settings": {"offline": True}})
    tracker.open("reviews-1", tmp_path)
    assert [*asked, tracker._mode] == ["disabled", "online", "offline"]
