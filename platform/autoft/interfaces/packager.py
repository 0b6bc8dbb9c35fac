"""Packagers arrange a finished bundle for a place that runs it. The core checks the bundle before, and puts in place what they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from autoft.interfaces.tuner import PluginFile


@dataclass(frozen=True)
class BundleFacts:
    """A bundle whose files were checked, and what a packager may want to know of it.

    `sha256` is that of autoft.json, which holds those of all other files: it tells this bundle from any other. `autoft` is the version
    that wrote it. `files`: relative path -> bytes, autoft.json among them; `graphs` are those of the format that is served. `versions`:
    package -> version at the time of the export. `plugin_files` are the one-file plugins that the bundle names, `requirements` the packages
    of plugins (`name==version`) that it needs for its answers beside autoft's own. Texts come from the user's data and machine: write none
    of them into a file unchecked.
    """

    folder: Path
    sha256: str
    task: str
    candidate: str
    autoft: str
    files: Mapping[str, int]
    graphs: tuple[str, ...]
    versions: Mapping[str, str]
    plugin_files: tuple[PluginFile, ...] = ()
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packaged:
    """`files` are relative to the folder. `next_steps` are what the user does there: commands, or sentences, one line each."""

    files: tuple[str, ...]
    next_steps: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """What a packager left in `folder`; `next_steps` are done there."""

    packager: str
    folder: Path
    files: tuple[str, ...]
    next_steps: tuple[str, ...]


@runtime_checkable
class Packager(Protocol):
    """The plugin: a kind of place. `autoft export RUN --to NAME` calls it."""

    name: str
    summary: str

    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        """Write below `folder`, which is empty and is renamed once all is there. Raises ExportError for a bundle that it cannot take."""
        ...
