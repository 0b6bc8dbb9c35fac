"""The worked example of each page in docs/tasks, as it stands there: its data, its commands, its answers.

Only the search is left out: the baseline wins, which takes seconds.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from autoft.cli.main import group
from autoft.cli.where import bundle_folder
from autoft.loading import load_predictor
from autoft.serving.app import create_app
from support import result_of

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in (DOCS / "tasks").glob("*.md") if path.stem not in ("README", "seq2seq"))
"""seq2seq needs pretrained weights; its own tests run its example."""
NO_SEARCH = Path(__file__).with_name("no_search.py")
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    settings = {"DATABASE": f"sqlite:///{tmp_path / 'runs.sqlite'}", "MODELS": '["linear"]', "TUNER": "none"}
    settings |= {"PLUGINS": json.dumps([str(NO_SEARCH)]), "TRIALS": "1", "CONCURRENCY": "1", "OUTPUT": "out"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AUTOFT_{name}", value)
    return tmp_path


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks, in order."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def autoft(*arguments: str) -> str:
    result = CliRunner().invoke(group, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert not result.return_value, result.output
    return result.stdout


def curl(arguments: list[str]) -> str:
    """The answer of an application around the last run's bundle: as `autoft serve last` gives it."""
    body, path = arguments[arguments.index("-d") + 1], arguments[-1].removeprefix(ADDRESS)
    app = create_app(load_predictor(bundle_folder("last"), threads=1), name="page")
    response = TestClient(app).post(path, content=body.encode())
    assert response.status_code == 200, response.text
    return response.text


def same(said: Any, found: Any) -> bool:
    """Equal, but for the numbers."""
    if isinstance(said, dict):
        return isinstance(found, dict) and list(said) == list(found) and all(same(said[key], found[key]) for key in said)
    if isinstance(said, list):
        return isinstance(found, list) and len(said) == len(found) and all(map(same, said, found))
    return isinstance(found, float) if isinstance(said, float) else said == found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_worked_example_does_what_the_page_says(page: Path, folder: Path) -> None:
    said = ""
    compared = 0
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, page.name, "exec"), {})
        elif language == "sh":
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                said = curl(arguments) if program == "curl" else autoft(*arguments)
        elif language == "json":
            assert same(json.loads(text), json.loads(said)), f"{text}\nis not\n{said}"
            compared += 1
    result = result_of(folder / "out")
    assert result["task"] == page.stem
    assert result["verified"]["passed"]
    assert compared >= 2
    assert (folder / "out" / "report.html").stat().st_size > 10_000


def test_every_task_has_a_page_and_a_line_in_the_table() -> None:
    from autoft.catalog import Catalog

    tasks = Catalog.build(kinds=("tasks",)).tasks
    table = (DOCS / "tasks" / "README.md").read_text(encoding="utf-8")
    for name in tasks:
        assert f"| [{name}]({name}.md) |" in table
        assert (DOCS / "tasks" / f"{name}.md").exists()


def test_links_lead_to_files() -> None:
    for page in [*(DOCS / "tasks").glob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
