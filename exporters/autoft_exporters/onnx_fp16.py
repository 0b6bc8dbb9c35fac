"""ONNX in half precision, by onnxruntime's own converter: for GPUs."""

from __future__ import annotations

from pathlib import Path

from autoft.interfaces.encoder import Arrays
from autoft_exporters.from_onnx import FromOnnx


class OnnxFp16(FromOnnx):
    """The plugin. Inputs and outputs stay as they are. Processors compute it in full precision, slower than the format onnx."""

    name = "onnx-fp16"
    summary = "ONNX in half precision, half the size; for GPUs"
    rounding = "weights and activations to 16 bits"
    suffix, precision = "_fp16", "float16"

    def _convert(self, source: Path, target: Path, samples: tuple[Arrays, ...]) -> None:  # noqa: ARG002
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        from autoft_exporters.graph_file import write_proto

        write_proto(convert_float_to_float16(onnx.load(source, load_external_data=False), keep_io_types=True), target)
