"""OpenVINO's format: on processors with bfloat16 units its products run there, which onnxruntime leaves unused."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autoft.errors import BundleError, ExportError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.exporter import Exported, Session
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem
from autoft_exporters.generation import Generation, GreedySession
from autoft_exporters.graphs import ENCODER_DECODER, SINGLE, graph_file, parts_in
from autoft_exporters.quiet import first_line, quiet

FOLDER = "openvino"
MISSING = "the package openvino is not installed: pip install 'autoft[openvino]'"


class OpenVino:
    """The plugin. Weights stay in full precision on disk; what products are computed in is the machine's choice."""

    name = "openvino"
    summary = "OpenVINO, for processors of Intel and AMD; needs pip install 'autoft[openvino]'"
    converts = "onnx"
    rounding = "products to bfloat16 where the processor has units for them"

    def supports(self, program: Program, problem: Problem) -> str | None:  # noqa: ARG002
        """None where the library is there: it takes what ONNX takes."""
        return None if find_spec("openvino") else MISSING

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Raises ExportError."""
        reason = self.supports(program, problem)
        if reason is not None:
            raise ExportError(reason)
        openvino = _library()
        (folder / FOLDER).mkdir(exist_ok=True)
        files: list[str] = []
        for part in parts_in(folder):
            try:
                with quiet():
                    model = openvino.Core().read_model(folder / graph_file(part))
                    openvino.save_model(model, folder / _file(part), compress_to_fp16=False)
            except Exception as error:
                what = f"{graph_file(part)} could not be converted to {self.name}: {first_line(error)}"
                raise ExportError(what, hint="take the format onnx") from error
            files += [_file(part), _file(part, "bin")]
        return Exported(tuple(files), {"format": "openvino", "precision": "float32", "openvino": str(openvino.__version__)})

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        if not (folder / _file(ENCODER_DECODER[0])).is_file():
            return _OpenVinoSession(folder / _file(SINGLE), threads)
        encoder, decoder = (_OpenVinoSession(folder / _file(part), threads) for part in ENCODER_DECODER)
        return GreedySession(encoder, decoder, Generation.of(folder))


def _library() -> Any:
    """openvino, without what counts its users and tells of them: it takes a stub where that package is not to be had."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _file(part: str, suffix: str = "xml") -> str:
    """Under the names that optimum looks for."""
    return f"{FOLDER}/openvino_{part}.{suffix}"


class _OpenVinoSession:
    """A compiled graph; each thread asks by a request of its own."""

    def __init__(self, path: Path, threads: int) -> None:
        if not find_spec("openvino"):
            raise BundleError(MISSING, hint="--format onnx, where the bundle has it, needs nothing more")
        if not path.is_file() or not path.with_suffix(".bin").is_file():
            raise BundleError(f"the bundle has no {path.name} with its .bin: {path} is absent", hint="copy the whole folder")
        openvino = _library()
        # Pinned threads would all sit on the same processors where several containers share a machine.
        options = {"INFERENCE_NUM_THREADS": str(max(1, threads)), "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": "NO"}
        try:
            self._model: Any = openvino.Core().compile_model(path, "CPU", options)
        except Exception as error:
            raise BundleError(f"{path} is no graph that openvino {openvino.__version__} can open: {first_line(error)}") from error
        self._path = path
        self._inputs = [item.any_name for item in self._model.inputs]
        self._outputs = [item.any_name for item in self._model.outputs]
        self._local = threading.local()

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs by name. Raises BundleError."""
        missing = [name for name in self._inputs if name not in arrays]
        if missing:
            raise BundleError(f"{self._path.name} needs the input {missing[0]!r}; the encoder gives {', '.join(arrays) or 'none'}")
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        try:
            given = self._local.request.infer({name: arrays[name] for name in self._inputs})
        except Exception as error:
            raise BundleError(f"{self._path.name} could not be run: {first_line(error)}") from error
        return {name: given[place].copy() for place, name in enumerate(self._outputs)}
