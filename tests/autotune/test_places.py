"""What a worker, a post and the asking for a cluster do, without Ray."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import numpy as np
import pytest

from autoft.errors import AutoftError, SettingsError
from autoft_autotune import posts, reaching
from autoft_autotune.places import HERE, Place
from autoft_autotune.trainable import Shared, TrialWorker
from autoft_autotune.wire import TRIAL, TrialOrder, is_outcome, read_result


def test_times_and_deadlines_are_those_of_the_driver(toys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM", "MINE"):
        monkeypatch.setenv(name, "before")
    request = toys.request("slow")
    here = tmp_path / "node"
    behind = Place(here, here / ".stop", here / "cache", tmp_path, ahead=-3600.0, variables={"MINE": "now"})
    worker = TrialWorker.__new__(TrialWorker)
    order = TrialOrder(1, "slow", {"rate": 0.1, "kind": "a", "drop": 0.1}, 7, time.time() + 3600 + 0.6)
    shared = Shared(request.data, {"slow": request.candidates[0]}, request.plugin_files, {HERE: behind}, 1, 0.0, {}, verbose=False)
    worker.setup({TRIAL: order.to_json()}, shared)
    results = [worker.step()]
    while not is_outcome(results[-1]):
        results.append(worker.step())
    worker._attendance.close()
    assert os.environ["MINE"] == "now"
    outcome = read_result(results[-1]).outcome
    assert (outcome.status, outcome.reason) == ("stopped", "stopped by the budget")
    told = [read_result(result).report.time for result in results[:-1]]
    assert told
    assert all(abs(at - 3600 - time.time()) < 30 for at in told)
    assert (here / "trials" / "1" / "model").is_dir()


@pytest.fixture
def post(tmp_path, monkeypatch):
    monkeypatch.setattr(posts, "own_folder", lambda: str(tmp_path / "post"))
    monkeypatch.setattr(posts, "_reaper", lambda folder, name: None)
    (tmp_path / "post").mkdir()
    made = posts.Post("autoft-1", {})
    trial = tmp_path / "post" / "trials" / "3"
    for name in ("spec.json", "validation.npz", "validation.new.npz", "model/config.json", "model.new/config.json"):
        (trial / name).parent.mkdir(parents=True, exist_ok=True)
        (trial / name).write_text(name)
    (tmp_path / "post" / "trials" / "secret").write_text("of another trial")
    return made


def test_a_post_gives_what_is_whole(post):
    assert post.left(3, weights=False) == ["spec.json", "validation.npz"]
    assert post.left(3, weights=True) == ["model/config.json", "spec.json", "validation.npz"]
    assert post.left(4, weights=True) == []
    assert bytes(post.read(3, "model/config.json")) == b"model/config.json"
    with pytest.raises(AutoftError, match="is no name of a file below"):
        post.read(3, "../secret")
    post.drop(3)
    assert post.left(3, weights=True) == []


def test_a_post_has_the_workers_of_its_node_work_in_its_folder(post, tmp_path):
    lodging = post.lodging()
    assert lodging.directory.is_dir()
    assert lodging.cache.is_dir()
    assert lodging.variables == {"AUTOFT_CACHE": str(tmp_path / "post" / "autoft")}
    post.stop("enough")
    assert lodging.stop_file.read_text() == "enough"


def test_names_that_a_node_gives_stay_below_the_trials_folder(tmp_path):
    with pytest.raises(AutoftError, match="is no name of a file below"):
        posts._write(tmp_path / "trials" / "1", "../../run.json", np.empty(0, np.uint8))


@pytest.mark.parametrize(
    ("said", "reason", "advice"),
    [
        ("no node of Ray", "this machine is no node of a Ray cluster", "ray start --address"),
        ("ConnectionError: Could not find any running Ray instance.", "no Ray cluster runs on this machine", "HOST:PORT"),
        ("RuntimeError: No node info found matching attributes: ''", "this machine is no node of that cluster", "ray start --address"),
        ("Token authentication is enabled but no authentication token was found.", "RAY_AUTH_MODE is token", "RAY_AUTH_TOKEN_PATH"),
        ("Unauthenticated: RPC error: InvalidAuthToken: missing or incorrect", "wants a token", "~/.ray/auth_token"),
        ("RuntimeError: Version mismatch: The cluster was started with:", "another version", "same versions"),
        ("Traceback\nOSError: something else", "OSError: something else", "ray status"),
        ("", "Ray ended with 1", "ray status"),
    ],
)
def test_why_a_cluster_cannot_be_used(monkeypatch, said, reason, advice):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said))
    with pytest.raises(SettingsError) as error:
        reaching.reach("auto")
    assert error.value.message.startswith("--ray-address auto: ")
    assert reason in error.value.message
    assert advice in str(error.value.hint)


def test_where_nobody_answers_is_said_at_once():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    with pytest.raises(SettingsError, match=f"^--ray-address {address}: nobody answers there: Connection refused"):
        reaching.reach(address)


def test_one_that_says_nothing_is_not_waited_for(monkeypatch):
    def run(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired([], timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SettingsError, match="no Ray answered within 60 s"):
        reaching.reach("auto")
