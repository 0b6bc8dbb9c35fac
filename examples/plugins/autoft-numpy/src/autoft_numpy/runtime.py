"""The runtime: a few of ONNX's operations, as their specification tells them, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays

Array = npt.NDArray[Any]


def _gather(table: Array, places: Array, *, axis: int = 0) -> Array:
    return np.take(table, places, axis=axis)


def _unsqueeze(value: Array, axes: Array) -> Array:
    return np.expand_dims(value, tuple(axes.tolist()))


def _squeeze(value: Array, axes: Array | None = None) -> Array:
    return np.squeeze(value, None if axes is None else tuple(axes.tolist()))


def _reduce_sum(value: Array, axes: Array | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Array:
    if axes is None and noop_with_empty_axes:
        return value
    return np.asarray(value.sum(axis=None if axes is None else tuple(axes.tolist()), keepdims=bool(keepdims)))


def _gemm(a: Array, b: Array, c: Array | float = 0.0, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0) -> Array:  # noqa: N803
    return np.asarray(alpha * ((a.T if transA else a) @ (b.T if transB else b)) + beta * c, a.dtype)


OPERATIONS: Mapping[str, Callable[..., Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "MatMul": np.matmul, "Gemm": _gemm, "Gather": _gather,
    "Unsqueeze": _unsqueeze, "Squeeze": _squeeze, "ReduceSum": _reduce_sum, "Identity": np.positive, "Tanh": np.tanh,
}  # fmt: skip
"""By ONNX's names; attributes are keywords."""


class NumpySession:
    """An opened graph. It keeps nothing between calls, so that several threads may ask."""

    def __init__(self, graph: Mapping[str, Any], weights: Arrays) -> None:
        self._steps = [(OPERATIONS[one["operation"]], one["inputs"], one["outputs"], one["attributes"]) for one in graph["steps"]]
        self._inputs, self._outputs, self._weights = graph["inputs"], graph["outputs"], weights

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs by name. Raises BundleError where an input is absent."""
        missing = [name for name in self._inputs if name not in arrays]
        if missing:
            raise BundleError(f"the graph needs the input {missing[0]!r}; the encoder gives {', '.join(arrays) or 'none'}")
        values = {**self._weights, **{name: arrays[name] for name in self._inputs}}
        for operation, inputs, (output,), attributes in self._steps:
            values[output] = operation(*(values[name] for name in inputs), **attributes)
        return {name: values[name] for name in self._outputs}
