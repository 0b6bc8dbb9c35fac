"""Exporters write what is served. Whether it is right is never theirs to say: the core proves it (autoft.proof)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem


@dataclass(frozen=True)
class Exported:
    """`files` are relative to the bundle's folder; `details` are facts for autoft.json, e.g. the opset."""

    files: tuple[str, ...]
    details: dict[str, object]


class Session(Protocol):
    """An opened graph. Safe to call from several threads."""

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs by name."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """The plugin: writes a format and opens it."""

    name: str
    summary: str

    def supports(self, program: Program, problem: Problem) -> str | None:
        """None for yes, else the reason."""
        ...

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Write the graphs below `folder`. Raises ExportError."""
        ...

    def open(self, folder: Path, threads: int) -> Session:
        """The graphs of a bundle's folder, ready to run. Raises BundleError."""
        ...
