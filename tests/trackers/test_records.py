"""What each tracker wrote of a run, read back with its own library: every trial, step and parameter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from autoft.disk import write_json
from autoft.interfaces.events import Event, TrialReported, TrialStarted
from offline_wandb import check_wandb
from tracked_run import LONGER, check_json_lines, check_mlflow, check_tensorboard, left_behind, tell, tell_in_two_sessions

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
    check_json_lines(folder, stream)


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
    parent = check_mlflow(folder, stream)
    assert (folder / "trackers" / "mlflow.json").exists()
    later = parent.data.tags.get("autoft.budget")
    assert later == (str(LONGER) if stream[0].run_id.endswith("resumed") else None), "a parameter stands; what it became is a tag"


def test_mlflow_takes_names_that_it_would_refuse(mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    from autoft_plugins.trackers.ml_flow import MLflow

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "names")
    begun, *others = left_behind(tmp_path / "run")
    trial = next(event for event in others if isinstance(event, TrialStarted))
    start = trial.model_copy(update={"hyperparameters": {"k@5": 3}})
    report = TrialReported(trial=trial.trial, progress=50, metrics={"recall@5": 0.5}, measures={"été": 0.25})
    assert tell(MLflow(), [begun, start, report, others[-1]]) == []
    client = MlflowClient()
    (child,) = client.search_runs([client.get_experiment_by_name("names").experiment_id], f"tags.`autoft.trial` = '{trial.trial}'")
    assert child.data.params == {"candidate": trial.candidate, "k_5": "3"}
    assert child.data.metrics == {"recall_5": 0.5, "_t_": 0.25}


def test_tensorboard(told: Callable[[type], Told]) -> None:
    from autoft_plugins.trackers.tensor_board import TensorBoard

    check_tensorboard(*told(TensorBoard))


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
    check_wandb(folder / "wandb", folder, stream)


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
