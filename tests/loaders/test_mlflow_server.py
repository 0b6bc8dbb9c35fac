"""A real MLflow server, in an environment of its own, that a run is told to over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft_plugins.trackers.ml_flow import MLflow
from tracked_run import check_mlflow, left_behind, tell, tell_in_two_sessions

pytestmark = pytest.mark.loaders


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, once it is healthy."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        home / "mlflow-server" / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", 1,
        "--backend-store-uri", f"sqlite:///{folder / 'store.db'}", "--artifacts-destination", folder / "artefacts",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHONPATH"))}
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(f"{address}/health", process, folder / "said.txt")
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def _await(address: str, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.5)
    pytest.fail(f"the server did not come up:\n{said.read_text()[-4000:]}")


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_server_holds_every_trial_step_and_parameter(server: str, sessions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MLFLOW_TRACKING_URI": server,
        "MLFLOW_EXPERIMENT_NAME": f"sessions-{sessions}",
        "AUTOFT_MLFLOW_MODEL": "reviews",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }.items():
        monkeypatch.setenv(name, value)
    stream = left_behind(tmp_path / "run")
    if sessions == 1:
        assert tell(MLflow(), stream) == []
    else:
        tell_in_two_sessions(MLflow, stream)
    check_mlflow(tmp_path / "run", stream)


def test_a_server_that_is_not_there_costs_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:lovelace@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    (line,) = tell(MLflow(), left_behind(tmp_path / "run"))
    assert line.startswith("tracker mlflow failed and is left out from now on: MlflowException: API request to")
    assert "lovelace" not in line
