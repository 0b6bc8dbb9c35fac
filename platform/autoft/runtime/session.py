"""One ONNX graph, opened with onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays
from autoft.runtime.external import external_tensors

LARGEST = 2**31 - 1
"""Bytes of the largest graph: protobuf holds no more in one file."""

ON_PROCESSORS = "CPUExecutionProvider"

# TensorFloat-32 would round products to ten bits, and answers would no longer be those that were proved.
_PROVIDERS: tuple[tuple[str, dict[str, str]], ...] = (("CUDAExecutionProvider", {"use_tf32": "0"}), (ON_PROCESSORS, {}))


def available_cores() -> int:
    """Processors this process may use: its affinity, and the quota of its container (cgroup v2) where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no cgroup v2 here
    return cores


class OnnxSession:
    """A graph that is ready to run; several threads may call `run` at once.

    `operators` is a library of operators that onnxruntime has not of its own. Raises BundleError when the file is absent, damaged, over
    2 GB, or keeps tensors in other files.
    """

    def __init__(self, path: Path, threads: int, operators: str | None = None) -> None:
        self.path = path
        _check(path)
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3  # errors
        present = ort.get_available_providers()
        try:
            if operators is not None:
                options.register_custom_ops_library(operators)
            self._session = ort.InferenceSession(path, options, providers=[one for one in _PROVIDERS if one[0] in present])
        except Exception as error:
            raise BundleError(f"{path} is no graph that onnxruntime {ort.__version__} can open: {_first_line(error)}") from error
        self.inputs = tuple(item.name for item in self._session.get_inputs())
        self.outputs = tuple(item.name for item in self._session.get_outputs())
        self.provider = str(self._session.get_providers()[0])

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs by name. Arrays that the graph does not take are left out; one that it misses is a BundleError."""
        missing = [name for name in self.inputs if name not in arrays]
        if missing:
            raise BundleError(f"{self.path.name} needs the input {missing[0]!r}; the encoder gives {', '.join(arrays) or 'none'}")
        try:
            values: list[Any] = self._session.run(None, {name: arrays[name] for name in self.inputs})
        except Exception as error:
            shapes = ", ".join(f"{name} {arrays[name].dtype}{list(arrays[name].shape)}" for name in self.inputs)
            raise BundleError(f"{self.path.name} could not be run on {shapes}: {_first_line(error)}") from error
        return dict(zip(self.outputs, values, strict=True))


def _check(path: Path) -> None:
    if not path.is_file():
        raise BundleError(f"the bundle has no {path.name}: {path} is absent")
    size = path.stat().st_size
    if size > LARGEST:
        raise BundleError(f"{path} has {size:,} bytes; a graph is at most 2 GB", hint="choose a smaller source, or a smaller format")
    try:
        external = external_tensors(path)
    except ValueError as error:
        raise BundleError(f"{path} is no ONNX graph: {error}") from None
    if external:
        raise BundleError(
            f"{path} keeps {len(external)} tensors in other files (the first is {external[0]!r}); a bundle's graph is one file",
            hint="export the model again with its weights inside the graph",
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
