"""How Ray is started, and what is left of instances whose drivers were killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import pytest

from autoft.errors import AutoftError
from autoft.store.liveness import process_identity, this_host
from autoft_autotune import session


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
