"""What is measured: servers in processes of their own, and the runtime without one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from environments import home, python_with

PEERS = Path(__file__).parent / "peers"
LITSERVE = ("litserve==0.2.19", "onnxruntime", "tokenizers", "numpy")
BENTOML = ("bentoml==1.4.40", "onnxruntime==1.32.0", "tokenizers==0.23.3", "numpy")
INFINITY = (
    "infinity-emb[server,optimum,torch]==0.0.78",
    "optimum[onnxruntime]==1.24.0",  # with 2.1 it finds no graph in a folder
    "sentence-transformers<4",
    "pyarrow<21",  # newer ones want a NumPy that infinity does not
    "torch==2.13.0",
    "onnxruntime==1.32.0",
)


class Asks(NamedTuple):
    """How a text is asked about: the path, what the body is beside the text, and whether the text stands in a list."""

    path: str = "/predict"
    field: str = "text"
    listed: bool = False


AUTOFTS = Asks()
"""As autoft is asked, and the peers that let one choose."""


class Server:
    """A server's process. A context manager: it is ready on entry and gone on exit."""

    def __init__(
        self, command: list[str], port: int, *, limits: bool, ready: str = "/health/ready", asks: Asks = AUTOFTS, **variables: str
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.limits, self.asks = limits, asks
        self._ready, self._variables = ready, variables
        self.ready_seconds = 0.0
        self._command = command

    def __enter__(self) -> Server:
        self._log = tempfile.TemporaryFile("w+")
        started = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log, env=os.environ | self._variables)
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}{self._ready}", timeout=5):
                break
            if self._process.poll() is not None or time.perf_counter() - started > 300:
                self._log.seek(0)
                sys.exit(f"{' '.join(self._command)} is not ready:\n{self._log.read()[-2000:]}")
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        family = [psutil.Process(one) for one in _family(self._process.pid)]
        self._process.terminate()
        _, left = psutil.wait_procs(family, timeout=20)
        for one in left:  # workers that outlive their server would take part in what is measured next
            one.kill()
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


def graph_of(bundle: Path, name: str) -> str:
    """The graph of one of a bundle's formats: its path in the bundle."""
    formats = json.loads((bundle / "autoft.json").read_text(encoding="utf-8")).get("formats") or {}
    files = formats[name]["files"] if formats else ["onnx/model.onnx"]
    return next(str(file) for file in files if file.endswith(".onnx"))


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def autoft_server(bundle: Path, name: str, *, lone: bool = False) -> Server:
    """`autoft serve` as it comes, or with all processors for one batch."""
    port = free_port()
    command = [sys.executable, "-m", "autoft", "serve", str(bundle), "--format", name, "--port", str(port)]
    if lone:
        command += ["--sessions", "1", "--threads", str(_cores())]
    return Server(command, port, limits=not lone)


def snippet(model: Path) -> Server:
    """The usual one."""
    port = free_port()
    return Server([sys.executable, str(Path(__file__).with_name("snippet.py")), str(model), str(port)], port, limits=False)


def litserve(bundle: Path, graph: str) -> Server:
    """LitServe, a worker a processor."""
    port, python = free_port(), python_with("litserve", LITSERVE)
    command = [str(python), str(PEERS / "lit_server.py"), str(bundle), graph, str(port), str(_cores())]
    return Server(command, port, limits=False, ready="/health")


def bentoml(bundle: Path, graph: str) -> Server:
    """BentoML, a worker a processor. It cannot be had with autoft's own pins."""
    port, python = free_port(), python_with("bentoml", BENTOML, pinned=False)
    command = [str(python), "-m", "bentoml", "serve", "bento_service:Classify", "--working-dir", str(PEERS), "--port", str(port)]
    variables = {"FOLDER": str(bundle), "GRAPH": graph, "WORKERS": str(_cores()), "BENTOML_DO_NOT_TRACK": "True"}
    return Server(command, port, limits=False, ready="/readyz", **variables)


def infinity(bundle: Path, graph: str) -> Server:
    """infinity over onnxruntime, by its defaults, but that it is not warmed up (with rows longer than the model reads): it puts the texts
    of several requests into a batch. It writes into the folder that it is given, so it gets a copy. It cannot be had with autoft's own
    pins."""
    copied = home() / "infinity-model"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(bundle, copied)
    port, python = free_port(), python_with("infinity", INFINITY, pinned=False)
    quantized = "--no-onnx-do-not-prefer-quantized" if graph.endswith("quantized.onnx") else "--onnx-do-not-prefer-quantized"
    command = [str(python.with_name("infinity_emb")), "v2", "--model-id", str(copied), "--engine", "optimum", "--device", "cpu", quantized]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--no-model-warmup"]
    asks = Asks("/classify", "input", listed=True)
    return Server(command, port, limits=False, ready="/health", asks=asks, DO_NOT_TRACK="1", HF_HUB_OFFLINE="1")


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def bare(bundle: Path, name: str, texts: list[str], seconds: float) -> dict[str, Any]:
    """Figures of the runtime alone, in a process of its own; texts go in by standard input."""
    order = json.dumps({"bundle": str(bundle), "format": name, "seconds": seconds, "texts": texts})
    command = [sys.executable, str(Path(__file__).with_name("bare.py"))]
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, input=order, capture_output=True, text=True, env=environment, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
