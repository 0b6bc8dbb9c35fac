"""The built-in exporters. They come through the same entry points as anybody else's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoft.hookspecs import hookimpl

if TYPE_CHECKING:
    from autoft.interfaces.exporter import Exporter
    from autoft.interfaces.packager import Packager


@hookimpl
def autoft_register_exporters() -> Sequence[Exporter]:
    """The formats a bundle can hold."""
    from autoft_exporters.onnx_fp16 import OnnxFp16
    from autoft_exporters.onnx_fp32 import OnnxFp32
    from autoft_exporters.onnx_int8 import OnnxInt8, OnnxInt8Small, OnnxInt8Static
    from autoft_exporters.onnx_text import OnnxText
    from autoft_exporters.openvino import OpenVino

    return [OnnxFp32(), OnnxInt8(), OnnxInt8Small(), OnnxInt8Static(), OnnxFp16(), OnnxText(), OpenVino()]


@hookimpl
def autoft_register_packagers() -> Sequence[Packager]:
    """The places a bundle can be arranged for."""
    from autoft_exporters.docker import Docker
    from autoft_exporters.library_folder import Transformers
    from autoft_exporters.triton import Triton

    return [Docker(), Triton(), Transformers()]
