"""From the ONNX graph that lies in the bundle, proved, to weights and a list of operations."""

from __future__ import annotations

import json
from pathlib import Path

from autoft.errors import BundleError, ExportError
from autoft.interfaces.exporter import Exported, Session
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem
from autoft_numpy.runtime import OPERATIONS, NumpySession

GRAPH, WEIGHTS, MADE_OF = "numpy/graph.json", "numpy/model.safetensors", "onnx/model.onnx"


class NumpyExporter:
    """`numpy/graph.json` and `numpy/model.safetensors`."""

    name = "numpy"
    summary = "safetensors and a list of operations, which numpy alone runs"
    converts = "onnx"

    def supports(self, program: Program, problem: Problem) -> str | None:
        return None if len(program.parts) == 1 else f"it writes one graph, and this model has {len(program.parts)}"

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Raises ExportError naming an operation that numpy is not taught here."""
        import onnx
        from onnx import helper, numpy_helper
        from safetensors.numpy import save_file

        graph = onnx.load(folder / MADE_OF).graph
        unknown = sorted({node.op_type for node in graph.node} - OPERATIONS.keys())
        if unknown:
            raise ExportError(f"{self.name} knows no {', '.join(unknown)}", hint="take the format onnx, or a model that is linear")
        weights = {one.name: numpy_helper.to_array(one).copy() for one in graph.initializer}
        steps = []
        for node in graph.node:
            told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            steps.append({"operation": node.op_type, "inputs": [*node.input], "outputs": [*node.output], "attributes": told})
        (folder / GRAPH).parent.mkdir(exist_ok=True)
        save_file(weights, folder / WEIGHTS)
        told = {"inputs": [one.name for one in graph.input], "outputs": [one.name for one in graph.output], "steps": steps}
        try:
            (folder / GRAPH).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except TypeError as error:
            raise ExportError(f"{self.name} cannot write an attribute of the graph: {error}", hint="take the format onnx") from error
        return Exported((GRAPH, WEIGHTS), {"format": "numpy", "operations": len(steps)})

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return NumpySession(json.loads((folder / GRAPH).read_text(encoding="utf-8")), load_file(folder / WEIGHTS))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise BundleError(f"{folder / GRAPH} with its weights cannot be opened: {error}", hint="copy the whole folder again") from error
