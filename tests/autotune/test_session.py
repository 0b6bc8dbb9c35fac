"""How Ray is started, and what is left of instances whose drivers were killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from autoft.errors import AutoftError
from autoft.guard import TIMEOUT_VARIABLE
from autoft.store.liveness import process_identity, this_host
from autoft_autotune import RayTuner, session


@pytest.mark.parametrize(("slow", "attempts"), [(0, 1), (2, 3)])
def test_ray_is_given_more_than_one_chance_to_come_up(monkeypatch, slow, attempts):
    asked = []

    def init(**options):
        asked.append(options)
        if len(asked) <= slow:
            raise Exception("The current node timed out during startup. This could happen because")

    monkeypatch.setattr("ray.init", init)
    session._start(num_cpus=2)
    assert asked == [{"num_cpus": 2}] * attempts


def test_a_ray_that_never_comes_up_is_an_error_in_words(monkeypatch):
    def init(**options):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("ray.init", init)
    with pytest.raises(AutoftError, match="did not come up in 3 attempts"):
        session._start()


def test_another_error_is_not_tried_again(monkeypatch):
    asked = []

    def init(**options):
        asked.append(options)
        raise ValueError("no such option")

    monkeypatch.setattr("ray.init", init)
    with pytest.raises(ValueError, match="no such option"):
        session._start()
    assert len(asked) == 1


@pytest.fixture
def early(monkeypatch):
    """A Ray that tells in which thread it was started and ended; `ray.init` may be replaced."""
    told = []
    monkeypatch.delenv(session.NICENESS, raising=False)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", lambda **_: told.append(("up", threading.current_thread().name, os.environ[session.NICENESS])))
    monkeypatch.setattr("ray.shutdown", lambda: told.append(("down", threading.current_thread().name)))
    return told


def test_ray_comes_up_beside_other_work_and_ends_in_the_thread_that_started_it(early):
    tuner = RayTuner()
    with tuner.prepare(3, [], verbose=False) as ready:
        ready()
        assert early == [("up", "ray", "0")]
        assert "ray" in {thread.name for thread in threading.enumerate()}, "Ray's processes end with the thread that started them"
    assert early == [("up", "ray", "0"), ("down", "ray")]
    assert "ray" not in {thread.name for thread in threading.enumerate()}
    assert session.NICENESS not in os.environ


def test_a_search_that_was_prepared_ends_ray_with_itself(early, monkeypatch):
    searched, go = [], threading.Event()
    monkeypatch.setattr("autoft_autotune.experiment.run_experiment", lambda request, hear: searched.append([*early]))
    monkeypatch.setattr("ray.shutdown", lambda: (go.wait(30), early.append(("down", threading.current_thread().name))))
    tuner = RayTuner()
    with tuner.prepare(None, [], verbose=False):
        tuner.search(SimpleNamespace(candidates=["one"]), lambda event: None)
        assert searched == [[("up", "ray", "0")]], "it is up when the search begins"
        ending = next(thread for thread in threading.enumerate() if thread.name == "ray")
        assert early == [("up", "ray", "0")], "what comes after the search does not wait for its end"
        go.set()
        ending.join(30)
        assert early == [("up", "ray", "0"), ("down", "ray")], "which comes by itself"
    assert len(early) == 2


def test_a_gpu_is_free_once_the_search_has_ended(early, monkeypatch):
    """Its memory is the workers', until Ray has ended them."""
    monkeypatch.setattr("autoft_autotune.experiment.run_experiment", lambda request, hear: None)
    monkeypatch.setattr(session, "gpus", lambda: 1)
    monkeypatch.setattr("ray.shutdown", lambda: (time.sleep(0.2), early.append(("down", threading.current_thread().name))))
    tuner = RayTuner()
    with tuner.prepare(None, [], verbose=False):
        tuner.search(SimpleNamespace(candidates=["one"]), lambda event: None)
        assert early[-1] == ("down", "ray")


@pytest.mark.parametrize(("found", "imports"), [(0, True), (1, False)])
def test_workers_that_are_to_be_told_of_a_gpu_import_nothing_before(early, monkeypatch, found, imports):
    asked = []
    monkeypatch.setattr(session, "gpus", lambda: found)
    monkeypatch.setattr("ray.init", lambda **_: asked.append("RAY_preload_python_modules" in os.environ))
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.1")  # workers that never come are not waited for
    with RayTuner().prepare(2, ["full"], verbose=False) as ready:
        ready()
    assert asked == [imports]


def test_a_ray_that_does_not_come_up_early_is_the_error_of_the_search(early, monkeypatch):
    def init(**options):
        raise ValueError("no such option")

    monkeypatch.setattr("ray.init", init)
    tuner = RayTuner()
    with tuner.prepare(None, [], verbose=False) as ready:
        for begin in (ready, lambda: tuner.search(SimpleNamespace(candidates=["one"]), lambda event: None)):
            with pytest.raises(ValueError, match="no such option"):
                begin()


def test_a_ray_that_runs_in_this_process_is_not_started_early(monkeypatch, early):
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    with RayTuner().prepare(2, [], verbose=False) as ready:
        ready()
    assert early == []


def test_folders_of_drivers_that_are_gone_are_removed_and_no_others(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    identity = process_identity(ended.pid)
    ended.wait()
    owners = {
        "autoft-gone": {"host": this_host(), "pid": ended.pid, "process": identity or "gone"},
        "autoft-mine": {"host": this_host(), "pid": os.getpid(), "process": process_identity(os.getpid())},
        "autoft-elsewhere": {"host": "elsewhere", "pid": ended.pid, "process": "gone"},
        "other": {"host": this_host(), "pid": ended.pid, "process": "gone"},
    }
    for name, owner in owners.items():
        (tmp_path / name / "session").mkdir(parents=True)
        (tmp_path / name / session.OWNER).write_text(json.dumps(owner))
    (tmp_path / "autoft-new").mkdir()
    (tmp_path / "autoft-half").mkdir()
    (tmp_path / "autoft-half" / session.OWNER).write_text("{")
    session._sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["autoft-elsewhere", "autoft-half", "autoft-mine", "autoft-new", "other"]


def test_matrix_products_have_one_thread_while_ray_comes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBLAS ends its threads when Ray forks: what has several waits for ever."""
    go = threading.Event()

    @contextlib.contextmanager
    def slow(concurrency: int | None, models: Sequence[str], *, verbose: bool) -> Iterator[None]:
        go.wait(30)
        yield

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    monkeypatch.setattr(session, "_own_ray", slow)
    with threadpool_limits(2, user_api="blas"):
        ray = session.EarlyRay(1, [], verbose=True)
        try:
            assert threads() == {1}
            go.set()
            ray.wait()
            assert threads() == {2}
        finally:
            go.set()
            ray.close()
        assert threads() == {2}
