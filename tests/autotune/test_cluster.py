"""Searches on a Ray cluster that is there already, on two nodes of which one has another disk than the driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from autoft.errors import SettingsError
from autoft_autotune import reaching
from killing import board, kill, until
from ray_cluster import two_nodes
from support import autoft, result_of, reviews

pytestmark = pytest.mark.ray

GONE = 30.0
"""Seconds in which a cluster is rid of a driver that was killed."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with two_nodes(tmp_path_factory.getbasetemp()) as nodes:
        yield nodes


def source(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 1000)
    return folder


def driver(cluster, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("driver_of_a_cluster.py")
    command = [sys.executable, str(script), cluster.address, str(folder), str(source(folder / "weights")), *arguments]
    return subprocess.Popen(command, env=cluster.driver(folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def told(cluster, tmp_path_factory):
    """What was told of two searches, and the folder in which they ran."""
    folder = tmp_path_factory.mktemp("searches")
    process = driver(cluster, folder)
    said, _ = process.communicate(timeout=550)
    assert (process.returncode, said) == (0, "")
    return folder, json.loads((folder / "told.json").read_text())


def finished(events):
    return {event["trial"]: event for event in events if event["event"] == "trial_finished"}


def test_what_trials_read_reaches_nodes_that_do_not_have_it(cluster, told):
    _, events = told
    reports = [event["measures"] for event in events["source"] if event["event"] == "trial_reported"]
    assert {row["status"] for row in finished(events["source"]).values()} == {"done"}
    assert {report["size"] for report in reports} == {256_000.0}
    if not cluster.hidden:
        pytest.skip("no process here can have a view of the disk of its own")
    assert {report["seen"] for report in reports} == {0.0, 1.0}, "one node sees the driver's folder, the other does not"


def test_what_trials_leave_is_on_the_drivers_disk(told):
    folder, events = told
    trials = folder / "source" / "trials"
    assert sorted(finished(events["source"])) == [1, 2, 3, 4]
    for number, row in finished(events["source"]).items():
        own = trials / str(number)
        assert json.loads((own / "spec.json").read_text())["hyperparameters"] == row["hyperparameters"]
        assert len((own / "curve.jsonl").read_text().splitlines()) == 2
        assert (own / "validation.npz").stat().st_size > 100
        assert (own / "model").exists() == (number % 2 == 1), "the weights of those only that are wanted"
    assert (trials / "1" / "model" / "model.safetensors").read_bytes() == bytes(range(256)) * 1000
    assert [path for path in (folder / "source").iterdir() if path.name != "trials"] == [], "caches stay on the nodes"


def test_times_are_those_of_the_driver(told):
    _, events = told
    times = [event["time"] for event in events["source"]]
    assert all(one <= other + 0.5 for one, other in pairwise(times))


def test_a_stop_reaches_the_nodes(told):
    folder, events = told
    rows = finished(events["stop"])
    assert {row["reason"] for row in rows.values()} == {"enough"}
    assert events["seconds"] < 60, "no worker would have ended before"
    best = next(number for number, row in rows.items() if row["value"] is not None)
    assert (folder / "stop" / "trials" / str(best) / "model" / "weights.json").exists()


def test_nothing_is_left_on_the_nodes(cluster, told):
    assert cluster.left() == []


def test_a_driver_that_is_killed_leaves_nothing_on_the_nodes(cluster, tmp_path):
    process = driver(cluster, tmp_path, "kill")
    assert until(process, (tmp_path / "begun").exists), process.stdout.read()
    assert cluster.left()
    assert kill(process)
    process.stdout.close()
    end = time.monotonic() + GONE
    while cluster.left() and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(2)  # a worker that outlives its post could write once more
    assert cluster.left() == []


@pytest.mark.slow
def test_a_run_goes_on_after_its_driver_was_killed(cluster, tiny_source, tmp_path):
    data = tmp_path / "reviews.csv"
    data.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in reviews(160)))
    out, database = tmp_path / "out", tmp_path / "runs.sqlite"
    env = {**cluster.driver(tmp_path), "AUTOFT_DATABASE": f"sqlite:///{database}"}
    models = f"frozen:{tiny_source('bert').folder}"
    command = ["run", data, "--output", out, "--trials", "3", "--models", models, "--ray-address", cluster.address]
    process = subprocess.Popen(
        [sys.executable, "-m", "autoft", *map(str, command)],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert until(process, lambda: (out / "leaderboard.csv").exists() and 2 in board(out))
    assert kill(process)
    before = board(out, seconds=True)
    done = autoft("resume", out, cwd=tmp_path, env=env)
    assert "Ray" not in done.stderr
    result = result_of(out)
    assert (result["status"], result["trials"]) == ("done", 4)
    assert set(board(out)) == {1, 2, 3, 4}
    assert board(out, seconds=True)[2] | {"rank": ""} == before[2] | {"rank": ""}, "what had ended stands"
    assert json.loads((out / "run.json").read_text())["settings"]["ray_address"] == cluster.address
    kept = sorted(path.parent.name for path in out.glob("trials/*/model"))
    assert len(kept) == 3
    assert "1" in kept
    assert not (out / "cache").exists()
    for path in [*out.rglob("*"), database]:
        assert path.is_dir() or cluster.token.encode() not in path.read_bytes(), f"{path} holds the cluster's token"
    assert cluster.left() == []


class TestRefusals:
    def refused(self, address: str) -> SettingsError:
        with pytest.raises(SettingsError, match=f"^--ray-address {address}: ") as caught:
            reaching.reach(address)
        return caught.value

    @pytest.fixture(autouse=True)
    def no_token(self, monkeypatch, tmp_path):
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_the_token_in_the_home_folder_is_used(self, cluster, tmp_path):
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(cluster.token)
        assert reaching.reach(cluster.address).rpartition(":")[2] == cluster.address.rpartition(":")[2]

    def test_a_wrong_token(self, cluster, monkeypatch):
        monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 32)
        error = self.refused(cluster.address)
        assert "wants a token, and the one given is wrong, or none is" in error.message
        assert "RAY_AUTH_TOKEN_PATH" in str(error.hint)
        assert "0" * 32 not in error.message + str(error.hint)

    def test_no_token(self, cluster, monkeypatch):
        assert "wants a token" in self.refused(cluster.address).message
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        assert "RAY_AUTH_MODE is token, and there is no token" in self.refused(cluster.address).message

    def test_what_is_there_is_not_ray(self, monkeypatch):
        monkeypatch.setattr(reaching, "ANSWER_SECONDS", 6.0)
        server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert "no Ray answered within 6 s" in self.refused(f"127.0.0.1:{server.server_port}").message
        finally:
            server.shutdown()
            server.server_close()
