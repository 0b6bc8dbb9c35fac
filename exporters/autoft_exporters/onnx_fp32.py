"""ONNX in full precision: what every runtime takes."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoft.errors import ExportError
from autoft.interfaces.encoder import Tensor
from autoft.interfaces.exporter import Exported, Session
from autoft.interfaces.model import Part, Program
from autoft.interfaces.problem import Problem
from autoft_exporters.graphs import ENCODER_DECODER, FOLDER, SINGLE, graph_file, open_graphs
from autoft_exporters.quick_graphs import plain_attention, with_known_gelu
from autoft_exporters.quiet import first_line, quiet

if TYPE_CHECKING:
    import onnx_ir

OPSET = 18
"""ModernBERT cannot be lowered to 23, and old runtimes know no more than this."""
GENERATED = "decoder_length"
"""The axis of what a decoder has written so far."""


class OnnxFp32:
    """The plugin. One graph, `onnx/model.onnx`, with its weights inside; or two, `onnx/encoder_model.onnx` and
    `onnx/decoder_model.onnx`, between which a text is generated as the bundle's generation_config.json says."""

    name = "onnx"
    summary = "ONNX in full precision, one file a graph"

    def supports(self, program: Program, problem: Problem) -> str | None:  # noqa: ARG002
        """None for torch modules or onnx.ModelProtos: a single part, or an encoder_model and a decoder_model."""
        names = tuple(part.name for part in program.parts)
        if len(names) != 1 and sorted(names) != sorted(ENCODER_DECODER):
            parts = f"{len(names)} parts ({', '.join(names)})"
            return f"onnx writes one graph, or {' and '.join(ENCODER_DECODER)}, and this model has {parts}"
        for part in program.parts:
            if not (_is_proto(part.graph) or _is_module(part.graph)):
                return f"a graph of type {type(part.graph).__name__} is neither a torch module nor an onnx.ModelProto"
        return None

    def export(self, program: Program, problem: Problem, folder: Path) -> Exported:
        """Raises ExportError when the model cannot be traced or its file would be over 2 GB."""
        reason = self.supports(program, problem)
        if reason is not None:
            raise ExportError(f"the model cannot be exported to ONNX: {reason}")
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        files = {graph_file(part.name if len(program.parts) > 1 else SINGLE): part for part in program.parts}
        opset = max(_write(part, folder / name, program.encoder.config.get("max_length")) for name, part in files.items())
        return Exported(tuple(files), {"format": "onnx", "precision": "float32", "opset": opset})

    def open(self, folder: Path, threads: int) -> Session:
        """Raises BundleError."""
        return open_graphs(folder, threads)

    def preload(self) -> None:
        """See `autoft.interfaces.exporter.Preloads`: what traces a module, where there is torch to make one."""
        if "torch" in sys.modules:
            for name in ("transformers.exporters.exporter_onnx", "onnxruntime"):
                import_module(name)


def _write(part: Part, path: Path, longest: int | None) -> int:
    """The graph of a part into its file; its opset."""
    from autoft_exporters.graph_file import write_ir, write_proto

    if _is_proto(part.graph):
        write_proto(part.graph, path)
        return max(int(item.version) for item in part.graph.opset_import if item.domain in ("", "ai.onnx"))
    graph = _traced(part, longest)
    write_ir(graph, path)
    return int(graph.opset_imports[""])


def _is_proto(graph: Any) -> bool:
    return any(kind.__name__ == "ModelProto" and kind.__module__.startswith("onnx") for kind in type(graph).__mro__)


def _is_module(graph: Any) -> bool:
    # By name: a bundle of n-grams is exported where torch need not be imported.
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(graph).__mro__)


def _traced(part: Part, longest: int | None) -> onnx_ir.Model:
    import torch

    module = part.graph
    training = module.training
    try:
        with quiet(), torch.no_grad(), plain_attention(module), _settled():
            model = with_known_gelu(_trace(module.eval(), part, longest))
    except Exception as error:
        raise ExportError(
            f"{type(module).__name__} could not be traced to ONNX: {first_line(error)}",
            hint="choose another source with --models, or report this with the output of -v",
        ) from error
    finally:
        module.train(training)
    if len(model.graph.outputs) < len(part.outputs):
        raise ExportError(f"{type(module).__name__} gave {len(model.graph.outputs)} outputs, {len(part.outputs)} were promised")
    _name_axes(model, part)
    _forget_origin(model)
    return model


@contextlib.contextmanager
def _settled() -> Iterator[None]:
    """Within: the garbage collector leaves alone what is there already. A trace makes so many objects that it would go through all of
    torch again and again: 1.1 times as long."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _trace(module: Any, part: Part, longest: int | None) -> onnx_ir.Model:
    import torch
    from transformers.exporters.configs import OnnxConfig
    from transformers.exporters.exporter_onnx import OnnxExporter

    exporter: Any = OnnxExporter()  # type: ignore[no-untyped-call]
    # Contiguous: else the tracer takes the strides of a view for a fact about all inputs.
    arrays = {tensor.name: np.ascontiguousarray(part.example[tensor.name]) for tensor in part.inputs}
    example = {name: torch.from_numpy(array).to(_device(module)) for name, array in arrays.items()}
    config = OnnxConfig(dynamic=True, dynamic_shapes=_dynamic_shapes(part, longest), opset_version=OPSET)
    with _returning_dict(getattr(module, "config", None)):
        model: onnx_ir.Model = exporter.export(module, example, config).program
    return model


def _device(module: Any) -> Any:
    weight = next(module.parameters(), None)
    return weight.device if weight is not None else "cpu"


@contextlib.contextmanager
def _returning_dict(config: Any) -> Iterator[None]:
    """Outputs by name, and no cache or hidden states among them."""
    wanted = {"return_dict": True, "use_cache": False, "output_hidden_states": False, "output_attentions": False}
    before = {name: getattr(config, name) for name in wanted if hasattr(config, name)}
    try:
        for name in before:
            setattr(config, name, wanted[name])
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def _dynamic_shapes(part: Part, longest: int | None) -> dict[str, dict[int, Any]]:
    """One symbol an axis name, shared by all inputs: else a mask gets a batch of its own.

    A length is bounded by the encoder's, since position tables hold no more; what is generated is not.
    """
    from torch.export import Dim

    names = {axis for tensor in part.inputs for axis in tensor.axes if isinstance(axis, str)}
    symbols = {name: Dim(name, min=1, max=None if name in ("batch", GENERATED) else longest) for name in names}
    return {tensor.name: {k: symbols[axis] for k, axis in enumerate(tensor.axes) if isinstance(axis, str)} for tensor in part.inputs}


def _name_axes(model: onnx_ir.Model, part: Part) -> None:
    """The tracer's symbols (s43) become the names of the axes, throughout the graph; outputs get their promised names."""
    import onnx_ir

    for value, tensor in zip(model.graph.outputs, part.outputs, strict=False):
        value.name = tensor.name
    names: dict[str, str] = {}
    for value in model.graph.inputs:
        tensor = _named(part.inputs, value.name or "")
        for axis, dimension in zip(tensor.axes, value.shape or (), strict=True):
            if isinstance(axis, str) and not isinstance(dimension, int):
                names[str(dimension.value)] = axis
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b") if names else None
    if pattern is None:
        return
    values = [*model.graph.inputs, *(output for node in model.graph.all_nodes() for output in node.outputs)]
    for value in values:
        if value.shape is None:
            continue
        value.shape = onnx_ir.Shape([_renamed(dimension, pattern, names) for dimension in value.shape])


def _forget_origin(model: onnx_ir.Model) -> None:
    """The tracer notes the lines of source, with the paths of this machine, on every node: they are nobody else's business."""
    model.metadata_props.clear()
    for graph in model.graphs():
        graph.metadata_props.clear()
        for value in graph.initializers.values():
            value.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in model.graph.inputs:
        value.metadata_props.clear()


def _renamed(dimension: Any, pattern: re.Pattern[str], names: dict[str, str]) -> int | str | None:
    if isinstance(dimension, int):
        return dimension
    text = dimension.value
    return None if text is None else pattern.sub(lambda match: names[match.group()], text)


def _named(tensors: tuple[Tensor, ...], name: str) -> Tensor:
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    raise ExportError(f"the traced graph has an input {name!r} that the model did not promise")
