"""A Ray cluster of two nodes on this machine, the second of which sees nothing of the tests' folders."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ATTEMPTS = 3
"""To start a node."""


@dataclass(frozen=True)
class Cluster:
    """`scratch` are the nodes' temporary folders, `token` is what lets a driver in, `hidden` whether the second node's disk is another."""

    address: str
    token: str
    scratch: tuple[Path, Path]
    hidden: bool

    def driver(self, folder: Path) -> dict[str, str]:
        """The environment of a driver that finds the token in a file."""
        path = folder / "auth_token"
        path.write_text(self.token)
        mine = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {**mine, "RAY_AUTH_TOKEN_PATH": str(path)}

    def left(self) -> list[Path]:
        """What searches have left on the nodes."""
        return [
            path for scratch in self.scratch for pattern in ("autoft-*", "ray/*/artifacts/*/autoft-*") for path in scratch.glob(pattern)
        ]


@contextmanager
def two_nodes(hide: Path) -> Iterator[Cluster]:
    """One processor each. `hide` is empty for the second node, where the system lets a process have a view of the disk of its own."""
    homes = tuple(Path(tempfile.mkdtemp(prefix="node-")) for _ in range(2))
    token, port = secrets.token_hex(16), _free_port()
    address = f"127.0.0.1:{port}"
    elsewhere = _elsewhere(hide)
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        nodes.append(_started(["--head", f"--port={port}", "--include-dashboard=false"], homes[0], token, ()))
        nodes.append(_started([f"--address={address}"], homes[1], token, elsewhere))
        yield Cluster(address, token, homes, bool(elsewhere))
    finally:
        for node in nodes:
            _kill(node)
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


def _started(options: list[str], home: Path, token: str, before: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Ray gives itself 30 seconds to come up, which are too few where many processes share the machine."""
    for _ in range(ATTEMPTS):
        node = _start(options, home, token, before)
        while node.poll() is None:
            if "Ray runtime started" in (home / "out").read_text():
                return node
            time.sleep(0.1)
        _kill(node)
    raise AssertionError((home / "out").read_text()[-3000:])


def _kill(node: subprocess.Popen[bytes]) -> None:
    """All that it has started, too."""
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()


def _elsewhere(hide: Path) -> tuple[str, ...]:
    """The beginning of a command that runs where `hide` is an empty folder; nothing where there can be no such place."""
    command = (
        "unshare",
        "-m" if os.name == "posix" and os.geteuid() == 0 else "-rm",
        "sh",
        "-c",
        f'mount -t tmpfs none "{hide}" && exec "$@"',
        "sh",
    )
    try:
        seen = subprocess.run([*command, "ls", "-A", str(hide)], capture_output=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return () if seen.strip() else command


def _start(options: list[str], home: Path, token: str, before: tuple[str, ...]) -> subprocess.Popen[bytes]:
    ray = Path(sys.executable).with_name("ray")
    usual = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", f"--temp-dir={home}/ray", "--block"]
    own = {"HOME": str(home), "TMPDIR": str(home), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    with (home / "out").open("w") as out:
        return subprocess.Popen(
            [*before, str(ray), "start", *usual, *options],
            cwd=home,
            env={**os.environ, **own},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
