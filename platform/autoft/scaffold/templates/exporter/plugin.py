"""Writes the format that onnxruntime itself loads: smaller runtimes, on phones for instance, read no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import autoft
from autoft.errors import BundleError, ExportError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.exporter import Exported, Exporter, Session
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem

GRAPH, MADE_OF = "ort/model.ort", "onnx/model.onnx"


class OrtExporter:
    """`ort/model.ort`, made out of the ONNX graph that lies in the bundle already, proved."""

    name = "example-plugin"
    summary = "onnxruntime's own format, for its small builds"
    converts = "onnx"

    def supports(self, program: Program, problem: Problem) -> str | None:  # noqa: ARG002
        return None if len(program.parts) == 1 else f"it writes one graph, and this model has {len(program.parts)}"

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:  # noqa: ARG002
        """Raises ExportError."""
        import onnxruntime

        (folder / GRAPH).parent.mkdir(exist_ok=True)
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(folder / GRAPH)
        options.add_session_config_entry("session.save_model_format", "ORT")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        try:
            onnxruntime.InferenceSession(str(folder / MADE_OF), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportError(f"{MADE_OF} could not be converted to {self.name}: {error}", hint="take the format onnx") from error
        return Exported((GRAPH,), {"format": "ort", "onnxruntime": onnxruntime.__version__})

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        try:
            return OrtSession(onnxruntime.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"]))
        except Exception as error:
            raise BundleError(f"{folder / GRAPH} cannot be opened: {error}", hint="copy the whole folder again") from error


class OrtSession:
    """The opened graph; onnxruntime takes calls from several threads."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = [one.name for one in session.get_inputs()]
        self._outputs = [one.name for one in session.get_outputs()]

    def run(self, arrays: Arrays) -> Arrays:
        found = self._session.run(self._outputs, {name: arrays[name] for name in self._inputs})
        return dict(zip(self._outputs, found, strict=True))


@autoft.hookimpl
def autoft_register_exporters() -> Sequence[Exporter]:
    """What the entry point gives to autoft."""
    return [OrtExporter()]
