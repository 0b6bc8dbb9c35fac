"""Every block of code in docs/plugins is run, and every hook has its page."""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import autoft
from autoft.catalog import KINDS, Catalog
from autoft.hookspecs import Hooks
from autoft.interfaces.events import RunFailedEvent, RunFinished, RunResumed, RunStarted, TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.source import SourceCard
from autoft.plugins import Loaded
from autoft.scaffold import KINDS as TEMPLATES
from autoft.scaffold import plugin_text
from autoft_exporters.docker import Docker
from support import autoft as command

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]
PLUGINS = Path(__file__).parents[2] / "docs" / "plugins"
HOOKS = [name for name in vars(Hooks) if name.startswith("autoft_")]
OURS = {kind: f"My{kind.capitalize()}" for kind in TEMPLATES}
"""The classes that are generated, which stand in for the author's own."""
FACTS = {"run_id": "r", "folder": "f", "data": "d", "task": "t", "candidates": ("linear",), "budget": None, "metric": "m"}
TRIAL = {"trial": 1, "candidate": "linear", "hyperparameters": {"C": 1.0}}
EVENTS: dict[str, Any] = {
    "run_started": RunStarted(**FACTS),
    "run_resumed": RunResumed(**FACTS, started=1.0, spent=2.0),
    "trial_started": TrialStarted(**TRIAL),
    "trial_reported": TrialReported(trial=1, progress=50, metrics={"m": 0.5}),
    "trial_finished": TrialFinished(**TRIAL, status="done", progress=100, metrics={"m": 0.5}, value=0.5, seconds=1.0),
    "run_finished": RunFinished(run_id="r", status="done", result={"verdict": "good"}),
    "run_failed": RunFailedEvent(run_id="r", status="failed", reason="nothing learned"),
}
SAID = {"run_started": "r", "run_resumed": "r 2.0", "trial_started": "linear {'C': 1.0}", "trial_reported": "1 {'m': 0.5}"}
SAID |= {"trial_finished": "1 done 0.5", "run_finished": "good", "run_failed": "nothing learned"}


def blocks(page: Path, language: str = "python") -> list[str]:
    return [text for found, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S) if found == language]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ModuleType]]:
    """`my_task`, `my_model` and so on, as they are generated, importable."""
    folder = tmp_path_factory.mktemp("modules")
    for kind in TEMPLATES:
        (folder / f"my_{kind}.py").write_text(plugin_text(kind, f"my-{kind}", f"my_{kind}"), encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield {kind: importlib.import_module(f"my_{kind}") for kind in TEMPLATES}
    sys.path.remove(str(folder))
    for kind in TEMPLATES:
        del sys.modules[f"my_{kind}"]


def test_every_hook_has_a_page_and_a_line() -> None:
    pages = {path.stem for path in (PLUGINS / "hooks").glob("*.md")} - {"README"}
    assert pages == set(HOOKS)
    listed = (PLUGINS / "hooks" / "README.md").read_text(encoding="utf-8")
    assert all(f"[{name}]({name}.md)" in listed for name in HOOKS)


def test_the_page_of_types_has_events_and_what_a_plugin_may_have_beside() -> None:
    parts = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", (PLUGINS / "types.md").read_text(encoding="utf-8"), re.M | re.S))
    kinds = [sys.modules[interface.__module__] for interface in KINDS.values()]
    beside = {name for kind in kinds for name, one in vars(kind).items() if getattr(one, "_is_runtime_protocol", False)}
    assert beside - {interface.__name__ for interface in KINDS.values()} - parts.keys() == set()
    assert "- `converts: str`" in parts["Converts"]
    assert "- `rounding: str`" in parts["Approximates"]
    for event in EVENTS.values():
        assert f"takes keywords only: `{type(event).__name__}(" in parts[type(event).__name__]
    for name in ("Problem", "Head", "Metric"):
        assert f"takes keywords only: `{name}(" in parts[name]
    assert "keywords only" not in parts["Space"]


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_a_hook_runs(name: str, packages: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(PLUGINS / "hooks" / f"{name}.md")
    module = ModuleType("example")
    kind = name.removeprefix("autoft_register_")
    own = {f"My{one.capitalize()}": getattr(packages[one], OURS[one]) for one in OURS} | {"MyPackager": Docker, "SourceCard": SourceCard}
    vars(module).update(own)
    exec(compile(code, name, "exec"), vars(module))
    catalog = Catalog.of([Loaded("example", "here", module)])
    assert not catalog.plugins[0].failure
    if kind in KINDS:
        assert [given.kind for given in catalog.plugins[0].gives] == [kind[:-1]]
        return
    event = name.removeprefix(f"{autoft.__name__}_")
    (hooks,) = catalog.event_hooks
    hooks.hear(EVENTS[event])
    assert capsys.readouterr().out == f"{SAID[event]}\n"


@pytest.mark.parametrize("number", range(9))
def test_the_blocks_on_the_checks_run(number: int, packages: dict[str, ModuleType], autoft_project: Project) -> None:
    """What they define as tests is called as pytest would, in a project of its own."""
    codes = blocks(PLUGINS / "checks.md")
    assert len(codes) == 9
    names: dict[str, Any] = {}
    exec(compile(codes[number], "checks.md", "exec"), names)
    tests = [one for name, one in names.items() if name.startswith("test_")]
    assert len(tests) == codes[number].count("def test_")
    for test in tests:
        test(*([autoft_project] if "autoft_project" in inspect.signature(test).parameters else []))


@pytest.mark.examples
def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    page = (PLUGINS / "index.md").read_text(encoding="utf-8")
    site, said = tmp_path / "site", []
    path = os.pathsep.join([str(site), *(os.environ["PYTHONPATH"].split(os.pathsep) if "PYTHONPATH" in os.environ else [])])
    env = {"PYTHONPATH": path, "AUTOFT_DATABASE": f"sqlite:///{tmp_path / 'runs.sqlite'}", "AUTOFT_CACHE": str(tmp_path / "cache")}
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page, re.M | re.S):
        if language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env={**os.environ, **env}, check=True, timeout=100)
            continue
        for line in text.splitlines() if language == "sh" else ():
            words = shlex.split(line, comments=True)
            own = dict(word.split("=", 1) for word in itertools.takewhile(lambda word: re.match(r"[A-Z_]+=", word), words))
            words = words[len(own) :]
            if words[0] == "autoft":
                said.append(command(*words[1:], cwd=tmp_path, env={**env, **own}).stdout)
                continue
            if "pip" in words:  # into a folder of the test's own, not into the environment that runs it, which has what is needed
                words = [word.removesuffix("[dev]") for word in words if word != "--editable"]
                words += ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
            done = subprocess.run(
                [sys.executable, *words[1:]], cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, timeout=200
            )
            assert done.returncode == 0, line + done.stdout + done.stderr
    assert any('"label": "good"' in one for one in said)
    assert (tmp_path / "out" / "bundle" / "autoft.json").exists()
