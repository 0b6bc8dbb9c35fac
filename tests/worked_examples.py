"""The worked examples of docs/tasks, done as their pages say: their data, their commands, in the working folder and in this process.

Only the search is left out: the baseline wins, or the defaults of the one source that is named.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner
from fastapi.testclient import TestClient

from autoft.cli.main import group
from autoft.cli.where import bundle_folder
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from autoft.sources.cache import SourceRecord, install, workspace

DOCS = Path(__file__).parents[1] / "docs"
PAGES = tuple(sorted(path for path in (DOCS / "tasks").glob("*.md") if path.stem != "README"))
DEFAULTS_ONLY = Path(__file__).parent / "docs" / "defaults_only.py"
ADDRESS = "http://127.0.0.1:8000"
WRITER = "flan-t5-small"
"""The source that the page of seq2seq names."""


@dataclass(frozen=True)
class Command:
    """A line of a page's shell blocks, in `words` as a shell parts them; `shown` is the JSON that stands under it, if any."""

    words: tuple[str, ...]
    shown: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """The texts that `autoft predict last --json` is asked about; none of other commands."""
        return self.words[4:] if self.words[:4] == ("autoft", "predict", "last", "--json") else ()

    @property
    def request(self) -> tuple[str, str] | None:
        """Path and body of what curl posts."""
        return (self.words[-1].removeprefix(ADDRESS), self.words[self.words.index("-d") + 1]) if self.words[0] == "curl" else None

    def run(self) -> str:
        """What it prints; the last run's bundle answers curl, as `autoft serve last` would."""
        return autoft(*self.words[1:]) if self.request is None else post(*self.request)


@dataclass(frozen=True)
class Example:
    """`code` writes the data, `commands` learn from it and ask."""

    page: Path
    code: str
    commands: tuple[Command, ...]

    @property
    def task(self) -> str:
        return self.page.stem

    def write_data(self) -> None:
        exec(compile(self.code, self.page.name, "exec"), {})


def read(page: Path) -> Example:
    """From its fenced blocks; JSON belongs to the command before it."""
    codes: list[str] = []
    commands: list[Command] = []
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if language == "python":
            codes.append(text)
        elif language == "sh":
            commands += [Command(tuple(shlex.split(line))) for line in text.splitlines()]
        elif language == "json":
            commands[-1] = replace(commands[-1], shown=text)
    (code,) = codes
    return Example(page, code, tuple(commands))


def settings(folder: Path) -> dict[str, str]:
    """Environment variables under which runs take seconds, and leave what they leave in `folder`: the run's own in `folder`/out."""
    found = {"DATABASE": f"sqlite:///{folder / 'runs.sqlite'}", "CACHE": str(folder / "cache"), "OUTPUT": "out"}
    found |= {"MODELS": '["linear"]', "TUNER": "defaults-only", "PLUGINS": json.dumps([str(DEFAULTS_ONLY)])}
    found |= {"TRIALS": "1", "CONCURRENCY": "1", "OFFLINE": "true"}
    return {f"AUTOFT_{name}": value for name, value in found.items()}


def stand_in(weights: Path, name: str) -> None:
    """Puts the weights in a folder into autoft's cache, as if they were the source of that name."""
    with workspace("sources") as space:
        shutil.copytree(weights, space / "source")
        install(space / "source", SourceRecord(name=name, origin="random weights of a test", sha256="", sizes={}))


def autoft(*arguments: str) -> str:
    """The standard output of the command."""
    result = CliRunner().invoke(group, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert not result.return_value, result.output
    return result.stdout


def post(path: str, body: str) -> str:
    app = create_app(load_predictor(bundle_folder("last"), threads=1), name="page")
    response = TestClient(app).post(path, content=body.encode())
    assert response.status_code == 200, response.text
    return response.text
