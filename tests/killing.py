"""Runs that are killed in the middle, as a user's are: real processes, real signals."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PATIENCE = 300.0
"""Seconds until a run that gets nowhere is given up."""


def lines(folder: Path) -> int:
    """Events that a run has written."""
    try:
        return (folder / "events.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def started(*arguments: str | Path, cwd: Path) -> subprocess.Popen[bytes]:
    """The command, in a group of its own."""
    command = [sys.executable, "-m", "autoft", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def until(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> bool:
    """Wait until `reached`; False where the process has ended before."""
    end = time.monotonic() + PATIENCE
    while not reached():
        if process.poll() is not None:
            return False
        assert time.monotonic() < end, "the run gets nowhere"
        time.sleep(0.005)
    return True


def kill(process: subprocess.Popen[bytes], *, group: bool = False) -> bool:
    """SIGKILL for the driver, or for all that it started; False where it had ended."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
    process.wait(timeout=30)
    return process.returncode == -signal.SIGKILL


def workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Those that run its trials."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.cmdline()[:1] and child.cmdline()[0].startswith("ray::TrialWorker"):
                found.append(child)
        except psutil.Error:
            continue
    return found


def board(folder: Path, *, seconds: bool = False) -> dict[int, dict[str, str]]:
    """leaderboard.csv by trial, with the column `seconds` or without."""
    with (folder / "leaderboard.csv").open(encoding="utf-8") as file:
        return {int(row["trial"]): {k: v for k, v in row.items() if seconds or k != "seconds"} for row in csv.DictReader(file)}
