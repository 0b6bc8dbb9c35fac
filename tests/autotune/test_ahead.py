"""Workers that have imported what trials need before there is a trial."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoft import guard, hardware
from autoft.catalog import Catalog
from autoft_autotune import ahead


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """This process as a worker of a Ray that was started with `variables` for two workers; a model's libraries are what the test says."""

    def start(model, workers=2):
        for name, value in ahead.variables(str(tmp_path), ["slow", "no such model"], workers).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(Catalog, "build", lambda **_: SimpleNamespace(models={"slow": model}))

    return start


class Model:
    """Whose libraries are imported so often, or cannot be."""

    def __init__(self, error=None, lasts=0.0):
        self.imported, self.error, self.lasts = 0, error, lasts

    def import_libraries(self):
        self.imported += 1
        time.sleep(self.lasts)
        if self.error:
            raise self.error


@pytest.mark.ray
def test_the_first_trials_run_in_workers_that_were_there_before_them(tmp_path):
    driver = Path(__file__).with_name("driver_ahead.py")
    done = subprocess.run([sys.executable, driver, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(set(told["workers"])) == 2
    assert {report["pid"] for report in told["reported"]} == set(told["workers"]), "Ray started no other"
    share = max(1, hardware.cores() // 2)
    assert {report["torch_threads"] for report in told["reported"]} == {float(share)}, "torch was there, and was told of its share"
    assert told["memory"] > 2 * 50 * 2**20
    assert told["left"] == []
    assert told["tune"] == {"PL_DISABLE_FORK": "1"}, "for a cluster it is as it was"


def test_so_many_workers_as_trials_import_and_no_more(worker, tmp_path):
    worker(model := Model())
    for _ in range(4):
        ahead.import_libraries()
    assert model.imported == 2
    assert sorted(note.name for note in tmp_path.iterdir()) == ["0", "0.ended", "1", "1.ended"]
    ahead.wait(lambda: False)
    assert ahead.memory() > 0


def test_a_machine_of_many_processors_does_not_fill_its_memory(worker, tmp_path):
    worker(model := Model(), workers=64)
    for _ in range(8):
        ahead.import_libraries()
    assert model.imported == ahead.MOST


def test_what_cannot_be_imported_is_left_to_the_trial(worker):
    worker(model := Model(ImportError("no such library")), workers=1)
    ahead.import_libraries()
    assert model.imported == 1
    ahead.wait(lambda: False)


def test_what_hangs_is_left_to_the_trial(worker, monkeypatch):
    worker(model := Model(lasts=5.0), workers=1)
    monkeypatch.setenv(guard.TIMEOUT_VARIABLE, "0.2")
    begun = time.monotonic()
    ahead.import_libraries()
    ahead.wait(lambda: False)
    assert model.imported == 1
    assert time.monotonic() - begun < 4


def test_nobody_waits_for_workers_that_do_not_come(worker, monkeypatch):
    worker(Model())
    begun = time.monotonic()
    ahead.wait(lambda: True)
    monkeypatch.setenv(guard.TIMEOUT_VARIABLE, "0.2")
    ahead.wait(lambda: False)
    assert time.monotonic() - begun < 4


def test_a_worker_of_another_ray_imports_nothing(monkeypatch, tmp_path):
    assert ahead.variables(str(tmp_path), [], 2) == {}
    assert not [name for name in os.environ if name.startswith("AUTOFT_AHEAD")]
    monkeypatch.setattr(Catalog, "build", lambda **_: pytest.fail("it was asked for models"))
    ahead.import_libraries()
    ahead.wait(lambda: False)
    assert ahead.memory() == 0
