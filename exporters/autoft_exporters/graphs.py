"""Where a bundle's graphs lie and what they are called, the same for every format of ONNX; how they are opened."""

from __future__ import annotations

from pathlib import Path

from autoft.interfaces.exporter import Session

FOLDER = "onnx"
SINGLE, ENCODER_DECODER = "model", ("encoder_model", "decoder_model")
"""Names of graphs, as transformers.js looks for them."""


def graph_file(part: str, suffix: str = "") -> str:
    """A part's file, relative to the bundle's folder; `suffix` tells the formats apart, e.g. `_quantized`."""
    return f"{FOLDER}/{part}{suffix}.onnx"


def parts_in(folder: Path, suffix: str = "") -> tuple[str, ...]:
    """The parts whose graphs of this suffix lie in a bundle's folder: one, or an encoder and a decoder."""
    several = any((folder / graph_file(part, suffix)).is_file() for part in ENCODER_DECODER)
    return ENCODER_DECODER if several else (SINGLE,)


def open_graphs(folder: Path, threads: int, suffix: str = "") -> Session:
    """Raises BundleError where a file is absent or is no graph."""
    from autoft.runtime.session import OnnxSession
    from autoft_exporters.generation import Generation, GreedySession

    parts = parts_in(folder, suffix)
    if parts == (SINGLE,):
        return OnnxSession(folder / graph_file(SINGLE, suffix), threads)
    encoder, decoder = (OnnxSession(folder / graph_file(part, suffix), threads) for part in ENCODER_DECODER)
    return GreedySession(encoder, decoder, Generation.of(folder))
