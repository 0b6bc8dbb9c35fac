"""A PostgreSQL server for one test session, on a Unix socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _user() -> str | None:
    """The server refuses root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise OSError("no user to run PostgreSQL as")


@contextmanager
def server(binaries: Path) -> Iterator[str]:
    """Yields a URL. The server listens on no network address."""
    user = _user()
    with TemporaryDirectory(prefix="autoft-pg-", dir="/tmp") as folder:
        if user:
            shutil.chown(folder, user)
        data = Path(folder) / "data"

        def do(*command: str) -> None:
            done = subprocess.run(
                command, user=user, cwd=folder, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120
            )
            if done.returncode:
                raise OSError(f"{command[0]}: {done.stderr or done.stdout}")

        do(str(binaries / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        do(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(Path(folder) / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester:s3cret@/postgres?host={folder}"
        finally:
            do(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
