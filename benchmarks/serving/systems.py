"""What is measured: servers in processes of their own, and the runtime without one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any


class Server:
    """A server's process. A context manager: it is ready on entry and gone on exit."""

    def __init__(self, command: list[str], port: int, *, limits: bool) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.limits = limits
        self.ready_seconds = 0.0
        self._command = command

    def __enter__(self) -> Server:
        self._log = tempfile.TemporaryFile("w+")
        started = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/health/ready", timeout=5):
                break
            if self._process.poll() is not None or time.perf_counter() - started > 300:
                self._log.seek(0)
                sys.exit(f"{' '.join(self._command)} is not ready:\n{self._log.read()[-2000:]}")
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def resident_mb(self) -> float:
        """Of its process and those that it has started, in 2**20 bytes."""
        return sum(_resident(process) for process in _family(self._process.pid))

    def processor_seconds(self) -> float:
        """What its process and those that it has started have taken so far."""
        return sum(_taken(process) for process in _family(self._process.pid))


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in _family(int(child)))]


def _resident(process: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _taken(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def autoft_server(bundle: Path, name: str) -> Server:
    """`autoft serve` as it comes."""
    port = free_port()
    command = [sys.executable, "-m", "autoft", "serve", str(bundle), "--format", name, "--port", str(port)]
    return Server(command, port, limits=True)


def snippet(model: Path) -> Server:
    """The usual one."""
    port = free_port()
    return Server([sys.executable, str(Path(__file__).with_name("snippet.py")), str(model), str(port)], port, limits=False)


def bare(bundle: Path, name: str, texts: list[str], seconds: float) -> dict[str, Any]:
    """Figures of the runtime alone, in a process of its own; texts go in by standard input."""
    order = json.dumps({"bundle": str(bundle), "format": name, "seconds": seconds, "texts": texts})
    command = [sys.executable, str(Path(__file__).with_name("bare.py"))]
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, input=order, capture_output=True, text=True, env=environment, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
