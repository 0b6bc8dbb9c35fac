"""A Dockerfile without a container engine: its own steps, done in a folder that stands for the image's file system.

The base image is a clean virtual environment of this Python. Only the instructions that autoft writes are known; any other is an error.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

KNOWN = ("FROM", "ENV", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "CMD")


@dataclass(frozen=True)
class Step:
    """An instruction: its flags, and its words, of which a shell line is one and an exec form several."""

    name: str
    flags: dict[str, str]
    words: tuple[str, ...]
    shell: bool = False


def parse(text: str) -> list[Step]:
    """Raises ValueError for an instruction, or a form of one, that is not known here."""
    steps = []
    for line in re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            if name not in KNOWN:
                raise ValueError(f"unknown instruction: {line}")
            steps.append(_step(name, rest.strip()))
    if [step.name for step in steps].count("FROM") != 1 or steps[0].name != "FROM":
        raise ValueError("one stage is known, which begins with FROM")
    return steps


def _step(name: str, rest: str) -> Step:
    flags = {}
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
        flags[match[1]], rest = match[2], rest[match.end() :]
    if name == "HEALTHCHECK":
        word, _, rest = rest.partition(" ")
        if word != "CMD":
            raise ValueError(f"HEALTHCHECK {word} is not known")
    if rest.startswith("["):
        return Step(name, flags, tuple(json.loads(rest)))
    if name in ("HEALTHCHECK", "CMD"):
        raise ValueError(f"{name} is not in exec form: {rest}")
    return Step(name, flags, (rest,), shell=True) if name == "RUN" else Step(name, flags, tuple(shlex.split(rest)))


def one(steps: Sequence[Step], name: str) -> Step:
    (found,) = [step for step in steps if step.name == name]
    return found


def context(folder: Path) -> set[str]:
    """The files that a build sees. Only lists of what is let in are known."""
    first, *rest = (folder / ".dockerignore").read_text().split()
    if first != "*" or not all(re.fullmatch(r"![\w.]+", line) for line in rest):
        raise ValueError("a .dockerignore of another form than * and !NAME")
    allowed = {line[1:] for line in rest}
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.parts[0] in allowed}


@dataclass
class Image:
    """What the steps leave below `root`."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    _tops: set[str] = field(default_factory=set)

    def build(self, folder: Path) -> list[Step]:
        """Raises CalledProcessError where a step fails."""
        steps = parse((folder / "Dockerfile").read_text())
        for step in steps:
            if step.name == "FROM":
                self._begin(step.words[0])
            elif step.name == "ENV":
                self.env |= dict(word.split("=", 1) for word in step.words)
            elif step.name == "COPY":
                self._copy(step, folder)
            elif step.name == "RUN":
                self.run(step)
        return steps

    def _begin(self, base: str) -> None:
        if not re.fullmatch(rf"python:{sys.version_info.major}\.{sys.version_info.minor}-slim-[a-z]+", base):
            raise ValueError(f"the base {base} is not this Python")
        subprocess.run([sys.executable, "-m", "venv", str(self.root / "venv")], check=True, timeout=120)
        # How this machine reaches a package index is no matter of the image's.
        passed = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
        self.env = {name: value for name, value in os.environ.items() if name.startswith(passed)}
        self.env["PATH"] = f"{self.root / 'venv' / 'bin'}:/usr/bin:/bin"

    def _copy(self, step: Step, folder: Path) -> None:
        *sources, target = step.words
        self._tops.add("/" + target.split("/")[1])
        seen = context(folder)
        for source in sources:
            plain = source.rstrip("/")
            files = [name for name in seen if name == plain or name.startswith(f"{plain}/")]
            if not files:
                raise FileNotFoundError(f"COPY {source}: the context has no such file")
            for name in files:
                inner = name.removeprefix(f"{plain}/") if name != plain else Path(plain).name
                place = self.root / target.strip("/") / inner
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, place)

    def within(self, word: str) -> str:
        """Paths of what was copied, as they are on this machine."""
        for top in self._tops:
            word = re.sub(rf"(?<![\w./-]){top}(?=[/'\"\s\]]|$)", f"{self.root}{top}", word)
        return word

    def command(self, step: Step, others: Mapping[str, str] = MappingProxyType({})) -> list[str]:
        """The step's words; `others` are words, or whole parts of them, that are others on this machine."""
        words = [self.within(word) for word in step.words]
        for old, new in others.items():
            words = [re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.])", new, word) for word in words]
        return ["/bin/sh", "-c", words[0]] if step.shell else words

    def run(self, step: Step, others: Mapping[str, str] = MappingProxyType({})) -> subprocess.CompletedProcess[str]:
        """To its end. Raises CalledProcessError where that is not 0."""
        words = self.command(step, others)
        return subprocess.run(words, env=self.env, cwd=self.root, check=True, capture_output=True, text=True, timeout=500)

    def start(self, step: Step, others: Mapping[str, str] = MappingProxyType({})) -> subprocess.Popen[str]:
        """As a process that goes on."""
        return subprocess.Popen(self.command(step, others), env=self.env, cwd=self.root, stderr=subprocess.PIPE, text=True)
