"""Whole searches with Ray: what is told, what is left, and how they end."""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from autoft import hardware

pytestmark = pytest.mark.ray


def finished(events):
    return {e.trial: e for e in events if e.event == "trial_finished"}


def measure(events, name):
    return [e.measures[name] for e in events if e.event == "trial_reported"]


def assert_consistent(events):
    """Each trial: one start, then reports, then one end."""
    seen = Counter((e.event, e.trial) for e in events if e.event != "trial_reported")
    assert set(seen.values()) == {1}
    for number in {e.trial for e in events}:
        assert [e.event for e in events if e.trial == number][:: max(1, len([e for e in events if e.trial == number]) - 1)] == [
            "trial_started",
            "trial_finished",
        ]


def test_a_search_tells_of_each_trial(toys, ray_instance, monkeypatch):
    monkeypatch.setattr(hardware, "gpus", lambda: 2)  # as the instance has
    events = toys.search("quick", trials=10, first_number=3, peaks={"quick": 8.0})
    assert_consistent(events)
    ended = finished(events)
    assert sorted(ended) == list(range(3, 13))
    assert ended[3].status == "done"
    assert ended[3].progress == 100
    assert {e.status for e in ended.values()} == {"done", "stopped"}
    stopped = [e for e in ended.values() if e.status == "stopped"]
    assert all(e.progress < 100 and e.value is not None and e.reason == "stopped by the scheduler" for e in stopped)
    assert len(set(measure(events, "pid"))) <= 2, "workers are used again"
    assert measure(events, "utilisation") == [1 / (8 * share) for share in measure(events, "gpus")]
    trials = toys.folder / "trials"
    assert json.loads((trials / "3" / "spec.json").read_text())["hyperparameters"] == ended[3].hyperparameters
    assert not (toys.folder / "ray").exists()


def test_two_searches_without_a_clock_are_the_same(toys, ray_instance, tmp_path_factory):
    def rows(folder):
        events = toys.search("quick", "diverges", "raises", trials=9, concurrency=1, folder=folder)
        return [(e.trial, e.candidate, e.status, e.progress, str(e.value), e.hyperparameters) for e in finished(events).values()]

    first, second = (rows(tmp_path_factory.mktemp("run")) for _ in range(2))
    assert first == second
    assert [row[1] for row in first[:3]] == ["quick", "diverges", "raises"]


def test_a_trial_that_raises_or_dies_is_a_failed_row(toys, ray_instance):
    events = toys.search("raises", "dies", "quick", trials=8, concurrency=2)
    assert_consistent(events)
    ended = list(finished(events).values())
    raised = [e for e in ended if e.candidate == "raises"]
    assert raised[0].status == "failed"
    assert raised[0].reason.startswith("ValueError: no depth")
    died = [e for e in ended if e.candidate == "dies"]
    assert died[0].status == "failed"
    assert "worker process died" in died[0].reason
    assert next(e.status for e in ended if e.candidate == "quick") == "done"
    assert len(ended) == 8
    shown = [json.dumps(e.hyperparameters, sort_keys=True) for e in raised]
    assert len(set(shown)) == len(shown), "a failed configuration is not tried again"


def test_the_deadline_holds(toys, ray_instance):
    deadline = time.time() + 7
    events = toys.search("slow", deadline=deadline)
    assert deadline - 2 < time.time() < deadline + 2
    assert_consistent(events)
    assert len(finished(events)) >= 2
    assert {e.reason for e in finished(events).values()} <= {"", "stopped by the budget", "stopped by the scheduler"}


def test_a_stop_file_ends_all(toys, ray_instance):
    touched = []

    def hear(event):
        if event.event == "trial_reported" and not touched:
            (toys.folder / "stop").touch()
            touched.append(time.time())

    events = toys.search("slow", hear=hear)
    assert time.time() - touched[0] < 3
    assert_consistent(events)
    assert {e.reason for e in finished(events).values()} == {"stopped by the user"}


def test_a_trial_that_hears_nothing_is_ended(toys, ray_instance):
    touched = []

    def hear(event):
        if event.event == "trial_reported":
            (toys.folder / "stop").touch()
            touched.append(time.time())

    events = toys.search("deaf", hear=hear, concurrency=1)
    assert time.time() - touched[0] < 5
    (only,) = finished(events).values()
    assert (only.status, only.value, only.reason) == ("stopped", 0.3, "stopped by the user")


def test_gpus_are_shared(toys, ray_instance):
    assert set(measure(toys.search("quick", trials=2), "gpus")) == {1.0}
    assert set(measure(toys.search("quick", trials=4, concurrency=4), "gpus")) == {0.5}


SCRIPT = """
import os, signal, sys
sys.path[:0] = {path!r}
sys.modules.pop("conftest", None)
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
spec = spec_from_file_location("toys", {conftest!r})
module = module_from_spec(spec); spec.loader.exec_module(module)

def on_signal(number, frame):
    raise SystemExit(9)

signal.signal(signal.SIGTERM, on_signal)
signal.signal(signal.SIGINT, on_signal)
during = []

def hear(event):
    during.append(signal.getsignal(signal.SIGTERM) is on_signal and signal.getsignal(signal.SIGINT) is on_signal)

os.environ["OMP_NUM_THREADS"] = "3"
events = module.Toys(Path({folder!r})).search("chatty", "raises", "dies", "quick", trials=8, hear=hear)
assert during and all(during), during
assert signal.getsignal(signal.SIGTERM) is on_signal
assert os.environ["OMP_NUM_THREADS"] == "3"
assert "RAY_CHDIR_TO_TRIAL_DIR" not in os.environ
assert len([e for e in events if e.event == "trial_finished"]) == 8
assert {{e.measures["nice"] for e in events if e.event == "trial_reported" and "nice" in e.measures}} == {{os.nice(0)}}
import ray
assert not ray.is_initialized()
Path({folder!r}, "done").touch()
"""


def test_a_search_of_its_own_says_nothing_and_leaves_nothing(tmp_path):
    path = [entry for entry in sys.path if entry]
    conftest = os.path.join(os.path.dirname(__file__), "conftest.py")  # noqa: PTH118, PTH120
    code = SCRIPT.format(path=path, conftest=conftest, folder=str(tmp_path))
    marker = {"AUTOFT_TEST_MARK": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **marker}, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (tmp_path / "done").exists()
    time.sleep(0.5)
    assert _processes_with(marker) == []


def _processes_with(marker):
    """Processes that inherited the variable: whatever Ray started and left."""
    ((name, value),) = marker.items()
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
                if f"{name}={value}".encode() in file.read():
                    left.append(int(pid))
        except OSError:
            continue
    return left


def test_the_tuner_keeps_the_contract_of_tuners(ray_instance: None) -> None:
    from autoft.testing import check_tuner
    from autoft_autotune import RayTuner

    check_tuner(RayTuner())
