"""The plugin that is checked, and what can be found of it."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autoft.catalog import Catalog, PluginRecord
from autoft.errors import PluginError
from autoft.interfaces.tuner import PluginFile
from autoft.plugins import Loaded, load_installed, load_plugin_file, read_plugin_file

Status = Literal["passed", "failed", "not checked"]
HEAVY = ("torch", "transformers", "tensorflow", "jax", "ray", "datasets", "sklearn", "pandas", "onnx")
"""What no module of a plugin imports as it is loaded: the server loads it too."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class Subject:
    """The plugin that is checked: `module` gives `record.gives`. `data` is a file of the user's, of its kind, or None."""

    loaded: Loaded
    record: PluginRecord
    seconds: float
    heavy: tuple[str, ...]
    file: PluginFile | None
    data: Path | None


def subject_of(name: str, file: Path | None, data: Path | None) -> Subject:
    """The installed plugin `name`, or that of `file`. Raises PluginError where there is none, or several."""
    if file is not None:
        return _file(file, data)
    found: list[Subject] = []
    known: list[str] = []
    entries = iter(load_installed())
    while True:
        before, started = set(sys.modules), time.perf_counter()
        installed = next(entries, None)
        if installed is None:
            break
        seconds = time.perf_counter() - started
        package = installed.distribution.name if installed.distribution else ""
        known.append(installed.name)
        if name in (installed.name, package):
            found.append(Subject(installed, record_of(installed), seconds, _heavy(before), None, data))
    if not found:
        is_path = name.endswith(".py") or Path(name).is_file()
        hint = f"autoft plugins check --plugin {shlex.quote(name)}" if is_path else "autoft plugins lists them with their packages"
        raise PluginError(f"there is no installed plugin {name!r}; known: {', '.join(known)}", hint=hint)
    if len(found) > 1:
        names = ", ".join(one.loaded.name for one in found)
        raise PluginError(f"{name} has several plugins: {names}", hint=f"name one: autoft plugins check {found[0].loaded.name}")
    return found[0]


def _file(path: Path, data: Path | None) -> Subject:
    """The plugin in a file; one that does not load is a finding like any other."""
    before, started = set(sys.modules), time.perf_counter()
    try:
        file = read_plugin_file(path)
    except PluginError as error:
        loaded = Loaded(path.name, f"file {path.name}", None, error.message)
        return Subject(loaded, record_of(loaded), 0.0, (), None, data)
    seconds = time.perf_counter() - started
    loaded = Loaded(file.name, f"file {file.name} ({file.sha256[:8]})", load_plugin_file(file))
    return Subject(loaded, record_of(loaded), seconds, _heavy(before), file, data)


def record_of(loaded: Loaded) -> PluginRecord:
    """What a catalog of it alone knows of it."""
    return Catalog.of([loaded]).plugins[0]


def _heavy(before: set[str]) -> tuple[str, ...]:
    return tuple(name for name in HEAVY if name in sys.modules and name not in before)


def object_of(subject: Subject, kind: str, name: str) -> Any:
    """The task, model or other thing of that kind and name which it gives."""
    return getattr(Catalog.of([subject.loaded]), f"{kind}s")[name]


def table_of(subject: Subject) -> Any:
    """The user's rows; None where there are none."""
    if subject.data is None:
        return None
    from autoft.data.reading import read_table
    from autoft.testing.learning import catalog_with

    return read_table(subject.data, list(catalog_with(subject.loaded.plugin).readers.values()))
