"""A model repository for Triton: the graphs of a bundle, each with a config.pbtxt that says what it takes and gives."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoft.errors import ExportError
from autoft.interfaces.packager import BundleFacts, Packaged
from autoft.version import __version__
from autoft_exporters.packing import filled, service_name, tag

REPOSITORY = "model_repository"
MOST_ROWS = 64
"""Rows that Triton takes in one request."""

_TYPES: Mapping[str, str] = {
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(bfloat16)": "TYPE_BF16",
    "tensor(double)": "TYPE_FP64",
    "tensor(int64)": "TYPE_INT64",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int8)": "TYPE_INT8",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(bool)": "TYPE_BOOL",
    "tensor(string)": "TYPE_STRING",
}
"""onnxruntime's word -> Triton's."""


class Triton:
    """The plugin. A bundle that writes texts has two graphs and becomes two models, `...-decoder` and `...-encoder`: to generate with them
    is the client's part."""

    name = "triton"
    summary = "a model repository with config.pbtxt for NVIDIA Triton"

    def package(self, bundle: BundleFacts, folder: Path) -> Packaged:
        """Raises ExportError for a bundle without ONNX graphs, and for a graph with an input that Triton has no type for."""
        graphs = [path for path in bundle.graphs if path.endswith(".onnx")]
        if not graphs:
            raise ExportError(f"{bundle.folder} serves no ONNX graph, which is what Triton's onnxruntime takes")
        written, takes = [], []
        for path in graphs:
            model = service_name(bundle) + (_part(path) if len(graphs) > 1 else "")
            home = f"{REPOSITORY}/{model}"
            inputs, outputs = signature(bundle.folder / path)
            (folder / home / "1").mkdir(parents=True)
            (folder / home / "config.pbtxt").write_text(config(bundle, model, inputs, outputs), encoding="utf-8")
            shutil.copyfile(bundle.folder / path, folder / home / "1" / "model.onnx")
            written += [f"{home}/config.pbtxt", f"{home}/1/model.onnx"]
            takes.append(f"{model} takes {_listed(inputs)} and gives {_listed(outputs)}")
        return Packaged(tuple(written), _next_steps(takes))


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph. An axis is a size, the name of one that is free, or None for one that is free and has no name."""

    name: str
    type: str
    axes: tuple[int | str | None, ...]


def signature(path: Path) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of a graph in the order of the file. Raises ExportError where it cannot be opened."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is not going to run
    options.log_severity_level = 3  # errors
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{path.name} is no graph that onnxruntime {ort.__version__} can open: {first}") from error
    return [_port(item) for item in session.get_inputs()], [_port(item) for item in session.get_outputs()]


def _port(item: Any) -> Port:
    return Port(item.name, item.type, tuple(item.shape))


def config(bundle: BundleFacts, model: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """The text of config.pbtxt. Where the first axis of all inputs and outputs is the same free one, it is Triton's batch, which `dims`
    leaves out; else Triton is told of no batch, and `dims` holds every axis."""
    batched = _share_first_axis([*inputs, *outputs])
    return filled(
        "config.pbtxt",
        name=model,
        tag=tag(bundle),
        writer=__version__,
        rows=MOST_ROWS if batched else 0,
        inputs=",\n".join(_tensor(port, batched) for port in inputs),
        outputs=",\n".join(_tensor(port, batched) for port in outputs),
    )


def _share_first_axis(ports: Sequence[Port]) -> bool:
    # An axis without a name may be any; and Triton wants at least one axis besides the batch.
    firsts = {port.axes[0] if len(port.axes) > 1 else None for port in ports}
    return len(firsts) == 1 and isinstance(firsts.pop(), str)


def _tensor(port: Port, batched: bool) -> str:
    kind = _TYPES.get(port.type)
    if kind is None:
        raise ExportError(f"Triton has no type for {port.name!r}, which is a {port.type}")
    axes = port.axes[1:] if batched else port.axes
    if not axes:
        raise ExportError(f"Triton takes no {port.name!r}, which has no axis")
    dims = ", ".join(str(axis) if isinstance(axis, int) else "-1" for axis in axes)
    return f"  {{\n    name: {_quoted(port.name)}\n    data_type: {kind}\n    dims: [ {dims} ]\n  }}"


def _quoted(text: str) -> str:
    """A string of protobuf's text format: what could end it, or is not plain ASCII, is given by its bytes in octal."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"\"\\'" else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(plain)}"'


def _part(path: str) -> str:
    """What tells one graph of a bundle from another: `-encoder` for onnx/encoder_model.onnx."""
    words = re.findall(r"[a-z0-9]+", path.removesuffix(".onnx").lower())
    return "".join(f"-{word}" for word in words if word not in ("onnx", "model"))


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(port.name for port in ports)


def _next_steps(takes: Sequence[str]) -> tuple[str, ...]:
    steps = [f"tritonserver --model-repository {REPOSITORY}", *takes]
    if len(takes) > 1:
        steps.append("these are two models: a client runs the encoder once, then the decoder for each token of the answer")
    steps.append("Triton runs graphs alone: a client makes their inputs of a text by the bundle's encoder, and answers of their outputs")
    return tuple(steps)
