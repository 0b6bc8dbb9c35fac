"""The plug is pulled in the middle of a run, again and again: what is left is whole or absent, and the next run works."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoft.interfaces.result import Result
from autoft.runtime.bundle import open_bundle
from support import autoft, result_of, reviews

pytestmark = [pytest.mark.soak, pytest.mark.ray]

KILLS = 12
LATEST = 16.0
"""Seconds after which a run of `linear` has ended by itself."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of reviews and a list of runs of its own."""
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    (tmp_path / "shop.csv").write_text("opinion,mood\n" + "".join(f'"{text}",{label}\n' for text, label in reviews()), encoding="utf-8")
    return tmp_path


def test_a_killed_run_leaves_nothing_half(shop: Path) -> None:
    draw = random.Random(0)
    ended = 0
    for number in range(KILLS):
        out = shop / f"out-{number}"
        command = [sys.executable, "-m", "autoft", "run", "shop.csv", "--models", "linear", "--trials", "6", "--output", out.name]
        process = subprocess.Popen(command, cwd=shop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(draw.uniform(0.5, LATEST))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        ended += process.returncode == 0
        if (out / "bundle").exists():
            assert open_bundle(out / "bundle").manifest.figures["test"]
        if (out / "result.json").exists():
            Result.model_validate(result_of(out))
        if (out / "events.jsonl").exists():
            lines = (out / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
            assert all(json.loads(line) for line in lines if line.endswith("\n"))
    assert ended < KILLS, "no run was killed in the middle"
    autoft("run", "shop.csv", "--models", "linear", "--trials", "2", "--output", "after", cwd=shop)
    assert result_of(shop / "after")["status"] == "done"
    listed = autoft("runs", cwd=shop)
    assert "running" not in listed.stdout, "a killed run is told from one that runs"
