"""ONNX with weights and products of 8 bits, by onnxruntime's own quantisers: activations scaled as they come, or by what was seen once.
Products that narrow are scaled in blocks in both, see `autoft_exporters.blocks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import Program
from autoft.interfaces.problem import Problem
from autoft_exporters.from_onnx import FromOnnx

if TYPE_CHECKING:
    import onnx

OPERATORS = ["MatMul", "Gemm", "Gather"]
"""Products, and the embedding tables, which are most of a small encoder."""


class OnnxInt8(FromOnnx):
    """The plugin. Activations are scaled by what a batch holds: an answer depends a little on the rows beside it."""

    name = "onnx-int8"
    summary = "ONNX with 8-bit weights, a quarter of the size; activations are scaled batch by batch"
    rounding = "weights and activations to 8 bits, activations scaled batch by batch"
    suffix, precision = "_quantized", "int8, dynamic"

    def _convert(self, source: Path, target: Path, samples: tuple[Arrays, ...]) -> None:  # noqa: ARG002
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(self._prepared(source), target, op_types_to_quantize=OPERATORS, per_channel=True, weight_type=QuantType.QInt8)

    def _prepared(self, source: Path) -> onnx.ModelProto:
        return _quantisable(source)


class OnnxInt8Small(OnnxInt8):
    """The plugin. `onnx-int8` with large look-up tables in 4 bits, which are half of a small encoder's bytes in 8."""

    name = "onnx-int8-small"
    summary = "onnx-int8 with large look-up tables in 4 bits: a fifth of the size of a small encoder"
    rounding = "weights and activations to 8 bits, large look-up tables to 4, activations scaled batch by batch"
    suffix, precision = "_small", "int8, dynamic; tables int4"

    def _prepared(self, source: Path) -> onnx.ModelProto:
        from autoft_exporters.blocks import tables_in_blocks

        model = super()._prepared(source)
        tables_in_blocks(model)
        return model


class OnnxInt8Static(FromOnnx):
    """The plugin. Activations are scaled by what rows of the data gave: an answer is the same whatever rows are beside it."""

    name = "onnx-int8-static"
    summary = "ONNX with 8-bit weights; activations are scaled once, by rows of the data, so that answers do not depend on their neighbours"
    rounding = "weights and activations to 8 bits, activations scaled by rows of the data"
    suffix, precision = "_int8", "int8, static"

    def supports(self, program: Program, problem: Problem) -> str | None:  # noqa: ARG002
        """None for one graph; what a decoder has written so far is in no row of the data."""
        if len(program.parts) > 1:
            return "its activations are scaled by rows of the data, which do not tell what a decoder sees: take onnx-int8"
        return None if program.samples else "there are no rows to scale its activations by"

    def _convert(self, source: Path, target: Path, samples: tuple[Arrays, ...]) -> None:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        model = _quantisable(source)
        quantize_static(
            model,
            target,
            _reader(samples, [item.name for item in model.graph.input]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def _quantisable(path: Path) -> onnx.ModelProto:
    """The graph with its narrowing products in blocks, and without the noted shapes of weights: the quantisers transpose some of these, and
    would trip over the notes."""
    import onnx

    from autoft_exporters.blocks import narrowing_in_blocks

    model = onnx.load(path, load_external_data=False)
    weights = {weight.name for weight in model.graph.initializer}
    noted = [item for item in model.graph.value_info if item.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(noted)
    narrowing_in_blocks(model)
    return model


def _reader(samples: Sequence[Arrays], names: Sequence[str]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self._rest = iter(samples)

        def get_next(self) -> Arrays | None:
            arrays = next(self._rest, None)
            return None if arrays is None else {name: arrays[name] for name in names}

    return Reader()
