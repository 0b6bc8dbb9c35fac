"""Fixtures for pytest. In a test module or conftest.py: `pytest_plugins = ["autoft.testing.fixtures"]`."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autoft.api import Run, run
from autoft.data.table import Table
from autoft.interfaces.source import Source
from autoft.plugins import load_installed
from autoft.scaffold import plugin_text
from autoft.testing.samples import reviews
from autoft.testing.source import make_source

TUNER = "in-process"
"""The tuner of `Project.run`: random search without Ray, so that a run takes seconds."""


class Project:
    """A working folder of its own, with its own list of runs and its own cache, offline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = 0
        self._tuner = folder / "in_process.py"
        self._tuner.write_text(plugin_text("tuner", TUNER), encoding="utf-8")

    def data(self, table: Table, name: str = "data.csv") -> Path:
        """The table as a file of CSV. Lists belong into JSON lines, which this does not write."""
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table.names)
            writer.writerows(tuple(record.values()) for record in table.records())
        return path

    def run(self, plugin: ModuleType | Path | None = None, table: Table | None = None, data: Path | None = None, **settings: Any) -> Run:
        """A whole run, proof and bundle included, on `table` (reviews without one) or on the file `data`, with the plugin, a module or its
        file, beside what is installed.

        `settings` are those of `autoft.run`; without others two trials of `linear` are searched in this process.
        """
        self._runs += 1
        known = plugin is None or any(one.plugin is plugin for one in load_installed())
        plugins = [self._tuner, *([] if plugin is None or known else [self.plugin_file(plugin)])]
        chosen: dict[str, Any] = {"models": ["linear"], "trials": 2, "concurrency": 1, "tuner": TUNER, "offline": True, **settings}
        chosen["plugins"] = [*plugins, *settings.get("plugins", [])]
        given = data or self.data(reviews() if table is None else table)
        return run(given, output=self.folder / f"run-{self._runs}", **chosen)

    def plugin_file(self, plugin: ModuleType | Path) -> Path:
        """The one file that `--plugin` takes."""
        if isinstance(plugin, Path):
            return plugin
        path = self.folder / f"{plugin.__name__.rpartition('.')[2]}.py"
        path.write_text(inspect.getsource(plugin), encoding="utf-8")
        return path


@pytest.fixture
def autoft_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """`autoft_project.run(my_module)`: a whole run in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOFT_DATABASE", f"sqlite:///{tmp_path / 'runs.sqlite'}")
    monkeypatch.setenv("AUTOFT_CACHE", str(tmp_path / "cache"))
    return Project(tmp_path)


@pytest.fixture
def autoft_table() -> Table:
    """Sixty reviews, good or bad."""
    return reviews()


@pytest.fixture(scope="session")
def autoft_source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A BERT of two layers with random weights, made once a session."""
    return make_source(tmp_path_factory.mktemp("autoft-source") / "tiny-bert")


@pytest.fixture
def autoft_file(autoft_project: Project) -> Callable[[Table], Path]:
    """`autoft_file(table)`: the table as a CSV file in the project."""
    return autoft_project.data
