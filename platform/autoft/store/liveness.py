"""Whether the process that writes a run is still there."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from autoft.errors import InputError

ALIVE = ".alive"
"""In a run's folder while it runs: who runs it. Locked, and systems give locks up whatever ends a process."""
WORKERS = ".workers"
"""The same of its workers, who share the lock."""
PATIENCE = 60.0
"""Seconds that a run which goes on waits for workers of the session before."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """While this lasts no other process runs in `folder`. Raises InputError where one does."""
    path = folder / ALIVE
    with path.open("a+", encoding="utf-8") as file:
        if not _lock(file):
            file.seek(0)
            raise InputError(
                f"the run in {folder} is alive: {file.read().strip() or 'it has only begun'}",
                hint="Ctrl-C there ends it with the best so far, twice leaves it; then it can be resumed",
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {this_host()}\n")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):  # where a file that is open cannot be removed
                path.unlink()


def attend(folder: Path) -> IO[str]:
    """A worker of the run in `folder` is at work there until the file that is returned is closed, or the worker is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / WORKERS).open("a+", encoding="utf-8")
    _lock(file, shared=True)
    return file


def await_workers(folder: Path) -> None:
    """Workers outlive their driver by seconds. Raises InputError where one is still there after `PATIENCE` seconds."""
    path, until = folder / WORKERS, time.monotonic() + PATIENCE
    with path.open("a+", encoding="utf-8") as file:
        while not _lock(file):
            if time.monotonic() > until:
                raise InputError(f"a worker of the run in {folder} is still at work", hint="end it, then resume the run")
            time.sleep(0.1)


def _lock(file: IO[str], *, shared: bool = False) -> bool:
    """Whether it was to be had."""
    try:
        if sys.platform == "win32":
            import msvcrt

            if not shared:  # there is no such lock; far behind the text, which others may read
                file.seek(2**30)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def this_host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def process_identity(pid: int) -> str:
    """What a later process with the same pid would not have: the boot and the moment of its start. Empty where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{fields[19]}"
    except (OSError, IndexError):
        return ""


def is_gone(host: str, pid: int, process: str) -> bool:
    """True only when this machine can know: the run was started here, and its process no longer exists."""
    if not pid or host != this_host():
        return False
    if process:
        return process_identity(pid) != process or _is_zombie(pid)
    if sys.platform == "win32":  # os.kill would end the process there
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True
