"""What the smaller formats of ONNX share: each is made out of the proved graphs in full precision, file by file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from autoft.errors import ExportError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.exporter import Exported, Session
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem
from autoft_exporters.graphs import graph_file, open_graphs, parts_in
from autoft_exporters.quiet import first_line, quiet


class FromOnnx(ABC):
    """A part of the plugin: `_convert` writes one graph. The files stand beside those they are made of, under transformers.js's names."""

    name: str
    summary: str
    rounding: str
    suffix: str
    precision: str
    converts = "onnx"

    def supports(self, program: Program, problem: Problem) -> str | None:  # noqa: ARG002
        """None: what ONNX takes in full precision, it takes."""
        return None

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Raises ExportError."""
        reason = self.supports(program, problem)
        if reason is not None:
            raise ExportError(f"the model cannot be exported to {self.name}: {reason}")
        files = []
        for part in parts_in(folder):
            source, target = folder / graph_file(part), folder / graph_file(part, self.suffix)
            if not source.is_file():
                raise ExportError(f"{self.name} is made out of {graph_file(part)}, which is absent")
            try:
                with quiet():
                    self._convert(source, target, program.samples)
            except Exception as error:
                raise ExportError(
                    f"{graph_file(part)} could not be converted to {self.name}: {first_line(error)}", hint="take the format onnx"
                ) from error
            files.append(graph_file(part, self.suffix))
        return Exported(tuple(files), {"format": "onnx", "precision": self.precision})

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        return open_graphs(folder, threads, self.suffix)

    @abstractmethod
    def _convert(self, source: Path, target: Path, samples: tuple[Arrays, ...]) -> None:
        """From the graph in `source`; `samples` are those of the program."""
