"""Whether the process that wrote a run is still there."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path


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
