"""Exporters write what is served. Whether it is right is never theirs to say: the core proves it (autoft.proof)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autoft.interfaces.encoder import Arrays, Encoding
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
class Placed(Protocol):
    """What a session may have beside: `provider`, onnxruntime's name of what the graph runs on. One without it runs on the processors."""

    provider: str


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


@runtime_checkable
class Converts(Protocol):
    """What an exporter may have beside: it makes its files out of those of another format. These lie in the folder, proved, when `export`
    is called, and it leaves them as they are; `converts` is that format's name, e.g. "onnx"."""

    converts: str


@runtime_checkable
class Approximates(Protocol):
    """What an exporter may have beside: its answers are near those of the fitted model and not equal to them, since something is rounded.
    The proof then holds them to the same shapes, order and scale instead of the tolerance of full precision, and the format is kept only
    where the metric on rows that the weights never saw falls by no more than the user allows. `rounding` says in a few words what is
    rounded to what."""

    rounding: str


@runtime_checkable
class Preloads(Protocol):
    """What an exporter may have beside: libraries that take seconds to import, which a run need not wait for at its end."""

    def preload(self) -> None:
        """Import them. Called in a thread of its own while the first trials of a search run elsewhere, or not at all; whatever it raises
        is for `export` to tell."""
        ...


@runtime_checkable
class ReadsRows(Protocol):
    """What an exporter may have beside: its graphs read the rows themselves, e.g. texts, and make of them what the encoder makes."""

    def reading(self, encoding: Encoding, config: Mapping[str, Any]) -> Encoding:
        """What stands before its sessions in place of `encoding`, the bundle's own, opened by `config`."""
        ...


def encoding_before(exporter: Exporter, encoding: Encoding, config: Mapping[str, Any]) -> Encoding:
    """What makes the arrays that the exporter's sessions take: `encoding`, or what the exporter puts in its place."""
    return exporter.reading(encoding, config) if isinstance(exporter, ReadsRows) else encoding
