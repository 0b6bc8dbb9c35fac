"""A search on a cluster whose nodes share no disk: each has a post, an actor beside the workers, that keeps what trials read and leave."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autoft import hardware
from autoft.disk import inside, write_text
from autoft.errors import SettingsError
from autoft.interfaces.events import Event, Remark, TrialFinished
from autoft.interfaces.model import Candidate
from autoft.interfaces.tuner import SearchRequest
from autoft.sources.carrying import Content, carried, unpack
from autoft.trial import replace_folder
from autoft.version import __version__
from autoft_autotune.places import Lodging
from autoft_autotune.resources import Machine, gpu_memory
from autoft_autotune.session import own_folder

START_SECONDS = 120.0
"""For a node to start the process of its post."""
LIST_SECONDS, BRING_SECONDS = 60.0, 300.0
"""For a post to say what a trial has left, and for one file of it to come back."""
CLOSE_SECONDS = 10.0

_REAPER = """
import glob, os, shutil, sys, time
if os.fork():
    os._exit(0)
sys.stdin.buffer.read()
for _ in range(2):
    for folder in [sys.argv[1], *glob.glob(sys.argv[2])]:
        shutil.rmtree(folder, ignore_errors=True)
    time.sleep(5)
"""
"""Reads until the post is gone, whatever ended it, and removes what there is; once more, since workers may outlive the post by seconds."""


@dataclass(frozen=True)
class Carried:
    """A source on its way: the sha256 of each file, and where Ray's object store has its content, by name."""

    hashes: Mapping[str, str]
    contents: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Of all of it: the tokenizer's files too, which `Source.sha256` leaves out."""
        return hashlib.sha256("\n".join(f"{name} {sha256}" for name, sha256 in self.hashes.items()).encode()).hexdigest()


class Post:
    """Runs on a node, and ends with the driver."""

    def __init__(self, name: str, sources: Mapping[Path, Carried]) -> None:
        self._name, self._sources = name, sources
        self._folder = Path(own_folder())
        for part in ("trials", "cache", "work"):
            (self._folder / part).mkdir()
        self._reaper = _reaper(self._folder, name)

    def facts(self) -> tuple[str, int, int]:
        """The version of autoft, bytes of free memory, bytes of memory of the smallest GPU."""
        return __version__, hardware.free_memory(), gpu_memory() if hardware.gpus() else 0

    def clock(self) -> float:
        return time.time()

    def lodging(self) -> Lodging:
        """For the workers of this node, without the handle and what the driver alone can know."""
        folder = self._folder
        variables = {"AUTOFT_CACHE": str(folder / "autoft")}
        return Lodging(folder, folder / ".stop", folder / "cache", folder / "work", variables=variables)

    def source(self, driver: Path) -> Path:
        """The folder of a source that has that folder on the driver's machine; it is brought at the first call. Raises SourceError where
        it does not arrive whole."""
        import ray

        sent = self._sources[driver]
        folder = self._folder / "sources" / sent.sha256
        if not folder.is_dir():
            unpack(folder, sent.hashes, lambda name: ray.get(sent.contents[name]))
        return folder

    def stop(self, reason: str) -> None:
        write_text(self._folder / ".stop", reason)

    def left(self, number: int, weights: bool) -> list[str]:
        """Names of the files that a trial has left here, those of its model with `weights`; what is half written is none."""
        folder = self._folder / "trials" / str(number)
        names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
        return [name for name in names if ".new" not in name.split("/")[0] and (weights or not name.startswith("model/"))]

    def read(self, number: int, name: str) -> Content:
        return np.fromfile(inside(self._folder / "trials" / str(number), name), np.uint8)

    def drop(self, number: int) -> None:
        """What a trial has left is not asked for again."""
        shutil.rmtree(self._folder / "trials" / str(number), ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        _drop_staging(self._name)


def _reaper(folder: Path, name: str) -> Any:
    """Lives in a session of its own: Ray ends what its workers have started."""
    if not hasattr(os, "fork"):
        return None
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _REAPER, str(folder), str(_staging() / "*" / name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.wait()
    return process


def _staging() -> Path:
    """Where Ray Tune keeps, on this node, what belongs to searches: on a cluster it would stay until the cluster ends."""
    import ray._private.worker as worker

    node: Any = worker._global_node
    return Path(node.get_session_dir_path(), "artifacts")


def _drop_staging(name: str) -> None:
    for folder in _staging().glob(f"*/{name}"):
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another search began in the same second
            folder.parent.rmdir()


@dataclass(frozen=True)
class Posts:
    """The posts of a cluster, by the id of their node. `machines` is what each node has."""

    request: SearchRequest
    tell: Callable[[Event], None]
    lodgings: Mapping[str, Lodging]
    machines: Mapping[str, Machine]

    def hear(self, event: Event) -> None:
        """Tell `event`, of the end of a trial once what it has left is on this machine's disk."""
        if isinstance(event, TrialFinished):
            try:
                self._bring(event.trial, weights=event.value is not None and self.request.keeps(event))
            except Exception as error:  # a node that is gone, a disk that is full: the trial has its figures all the same
                self.tell(_warning(f"what trial {event.trial} left did not come back from its node: {_reason(error)}"))
        self.tell(event)

    def stop(self, why: str) -> None:
        """End all trials at their next step."""
        for lodging in self.lodgings.values():
            lodging.post.stop.remote(why)

    def _bring(self, number: int, *, weights: bool) -> None:
        import ray

        asked = [(lodging.post, lodging.post.left.remote(number, weights)) for lodging in self.lodgings.values()]
        answers = []
        for post, left in asked:
            with contextlib.suppress(ray.exceptions.RayActorError):  # whose node is gone
                answers.append((post, ray.get(left, timeout=LIST_SECONDS)))
        for post, names in answers:
            if names:
                self._store(post, number, names)
            post.drop.remote(number)

    def _store(self, post: Any, number: int, names: Sequence[str]) -> None:
        import ray

        def read(name: str) -> Content:
            content: Content = ray.get(post.read.remote(number, name), timeout=BRING_SECONDS)
            return content

        folder = self.request.folder / "trials" / str(number)
        shutil.rmtree(folder, ignore_errors=True)  # what an attempt left that was cut off with its run
        folder.mkdir(parents=True)
        model = [name.removeprefix("model/") for name in names if name.startswith("model/")]
        for name in names:
            if not name.startswith("model/"):
                _write(folder, name, read(name))

        def save(aside: Path) -> None:
            for name in model:
                _write(aside, name, read(f"model/{name}"))

        if model:
            replace_folder(folder / "model", save)


def _write(folder: Path, name: str, content: Content) -> None:
    path = inside(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.data)


@contextlib.contextmanager
def open_posts(request: SearchRequest, tell: Callable[[Event], None], name: str) -> Iterator[Posts]:
    """Posts on all nodes that have processors and autoft; a node that has another version of it, or none, is left out, which is told.

    Raises SettingsError where no node is left. `name` is that of the search.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = {node["NodeID"]: node for node in found if node["Alive"] and node["Resources"].get("CPU", 0) > 0}
    actor: Any = ray.remote(Post)
    sources = _sent(request.candidates)
    made: dict[str, Any] = {
        node: actor.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(name, sources)
        for node in nodes
    }
    lodgings: dict[str, Lodging] = {}
    machines: dict[str, Machine] = {}
    refused: list[str] = []
    try:
        until = time.monotonic() + START_SECONDS
        for node, post in made.items():
            try:
                version, memory, gpu = ray.get(post.facts.remote(), timeout=max(1.0, until - time.monotonic()))
                lodging = _lodging(post)
            except Exception as error:  # of any kind: whatever the node lacks
                refused.append(f"{nodes[node]['NodeManagerAddress']}: {_reason(error)}")
                continue
            if version != __version__:
                refused.append(f"{nodes[node]['NodeManagerAddress']}: it has autoft {version}, and here it is {__version__}")
                continue
            lodgings[node], machines[node] = lodging, _machine(nodes[node]["Resources"], memory, gpu)
        _say(request, tell, machines, refused)
        yield Posts(request, tell, lodgings, machines)
    finally:
        with contextlib.suppress(Exception):  # the cluster may be gone
            closing = [post.close.remote() for post in made.values()]
            ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
            for post in made.values():
                ray.kill(post)
            _drop_staging(name)


def _say(request: SearchRequest, tell: Callable[[Event], None], machines: Mapping[str, Machine], refused: Sequence[str]) -> None:
    """Raises SettingsError where there is no machine."""
    if not machines:
        lacking = "; ".join(refused) or "none has processors"
        raise SettingsError(
            f"--ray-address {request.ray_address}: no node of the cluster can run trials: {lacking}",
            hint="install autoft[train] on the nodes, in the environment in which ray start runs, in the version that is here",
        )
    for one in refused:
        tell(_warning(f"a node of the Ray cluster is left out: {one}"))
    cores, gpus = (sum(getattr(machine, name) for machine in machines.values()) for name in ("cores", "gpus"))
    tell(Remark(text=f"the search runs on the Ray cluster {request.ray_address}: nodes {len(machines)}, processors {cores}, GPUs {gpus}"))


def _sent(candidates: Sequence[Candidate]) -> dict[Path, Carried]:
    """The sources of all candidates, in Ray's object store, by their folder."""
    import ray

    sent: dict[Path, Carried] = {}
    for folder in dict.fromkeys(candidate.source.folder for candidate in candidates if candidate.source):
        hashes = carried(folder)
        sent[folder] = Carried(hashes, {name: ray.put(np.fromfile(folder / name, np.uint8)) for name in hashes})
    return sent


def _lodging(post: Any) -> Lodging:
    import ray

    asked = time.time()
    there = ray.get(post.clock.remote(), timeout=START_SECONDS)
    ahead = there - (asked + time.time()) / 2
    lodging: Lodging = ray.get(post.lodging.remote(), timeout=START_SECONDS)
    return replace(lodging, ahead=ahead, post=post)


def _machine(resources: Mapping[str, float], memory: int, gpu: int) -> Machine:
    free = min(memory, int(resources.get("memory", memory)))
    return Machine(max(1, int(resources["CPU"])), int(resources.get("GPU", 0)), free, gpu)


def _warning(text: str) -> Remark:
    return Remark(text=text, level="warning")


def _reason(error: BaseException) -> str:
    """What an error of Ray's says in its last line, where those before are a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
