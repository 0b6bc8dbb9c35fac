"""What a command costs: wall time, and the core-seconds of all that it started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
PAUSE_SECONDS, SAMPLE_SECONDS = 0.02, 0.5
LINGER_SECONDS = 20.0
"""How long what a command leaves behind may take to end by itself."""

LONGEST = 2 * 3600.0


class CommandError(Exception):
    """A command ended badly; the message holds the last lines of what it said."""


@dataclass(frozen=True)
class Cost:
    """`wall` and `core_seconds` in seconds; `busy` is the share of all cores that was used; `began` on `time.time()`."""

    wall: float
    core_seconds: float
    busy: float
    began: float


class Descendants:
    """All processes that come of this one, and the core-seconds of those that have ended.

    A process that ends is told of to its parent, with what its own children took; one whose parent has ended is told of to us
    (prctl(2), PR_SET_CHILD_SUBREAPER). A parent that ignores SIGCHLD, as Ray's does that starts the workers, is told nothing, and for its
    children what was seen last has to do: up to `SAMPLE_SECONDS` of each are lost.
    """

    def __init__(self) -> None:
        if ctypes.CDLL(None, use_errno=True).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        self._told: dict[int, float] = {}
        self._untold: dict[int, float] = {}
        self._sampled = 0.0
        self.codes: dict[int, int] = {}
        """The exit codes of those that were ours."""

    def watch(self) -> None:
        """To be called again and again."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                number, status, usage = ended
                self._told[number] = usage.ru_utime + usage.ru_stime
                self.codes[number] = os.waitstatus_to_exitcode(status)
        if time.monotonic() >= self._sampled + SAMPLE_SECONDS:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    if _ignores_children(process.ppid()):
                        self._untold[process.pid] = sum(process.cpu_times()[:4])
            self._sampled = time.monotonic()

    def end(self) -> None:
        """Wait for all of them, and kill those that do not end by themselves."""
        deadline = time.monotonic() + LINGER_SECONDS
        while found := psutil.Process().children(recursive=True):
            for left in found if time.monotonic() > deadline else ():
                with contextlib.suppress(psutil.NoSuchProcess):
                    left.kill()
            self.watch()
            time.sleep(PAUSE_SECONDS)

    @property
    def core_seconds(self) -> float:
        return sum(self._told.values()) + sum(seconds for number, seconds in self._untold.items() if number not in self._told)


def _ignores_children(number: int) -> bool:
    """Whether a process ignores SIGCHLD, so that nobody is told what its children took."""
    status = Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    mask = next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGCHLD - 1) & 1)


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str], cores: int) -> Cost:
    """Run `command` in `folder`; what it says is left there in `said`. Linux only; it waits for all children of this process.

    Raises CommandError.
    """
    descendants, began, started = Descendants(), time.time(), time.perf_counter()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder, env=dict(environment))
        try:
            while process.pid not in descendants.codes and time.perf_counter() - started < LONGEST:
                descendants.watch()
                time.sleep(PAUSE_SECONDS)
        finally:
            wall = time.perf_counter() - started
            descendants.end()
            process.returncode = descendants.codes[process.pid]
    if wall >= LONGEST:
        raise CommandError(f"not done after {LONGEST:.0f} s")
    if process.returncode:
        words = (folder / "said").read_text(encoding="utf-8", errors="replace")
        raise CommandError(f"exit code {process.returncode}\n{words[-2000:].strip()}")
    return Cost(wall, descendants.core_seconds, descendants.core_seconds / wall / cores, began)


def clean_environment(scratch: Path) -> dict[str, str]:
    """Without settings of autoft or further import paths, offline, and with a list of runs of its own: no run learns from another."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOFT_") and name != "PYTHONPATH"}
    if "AUTOFT_CACHE" in os.environ:
        kept["AUTOFT_CACHE"] = os.environ["AUTOFT_CACHE"]
    return {**kept, "HF_HUB_OFFLINE": "1", "AUTOFT_DATABASE": f"sqlite:///{scratch / 'runs.sqlite'}"}
