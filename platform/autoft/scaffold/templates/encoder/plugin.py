"""Runs of characters, counted in buckets: texts to arrays without a vocabulary."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autoft
from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Encoder, Tensor


class CharacterEncoding:
    """`characters` (batch, width) float32: how often runs of `size` characters fall into each bucket, scaled to unit length."""

    max_length: int | None = None

    def __init__(self, width: int, size: int) -> None:
        self.width, self.size = width, size
        self.inputs = (Tensor("characters", "float32", ("batch", width)),)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:  # noqa: ARG002
        """Rows have no length here, so that there is nothing to pad."""
        counts = np.zeros((len(rows), self.width), np.float32)
        lengths = np.zeros(len(rows), np.int64)
        for row, text in enumerate(rows["text"]):
            padded = f" {text or ''} ".casefold().encode("utf-8", "replace")
            runs = [padded[start : start + self.size] for start in range(len(padded) - self.size + 1)]
            np.add.at(counts[row], [zlib.crc32(run) % self.width for run in runs], 1)
            lengths[row] = len(runs)
        counts /= np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)
        return Encoded({"characters": counts}, lengths, np.zeros(len(rows), np.bool_))

    def resized(self, rows: Table, length: int) -> Table:  # noqa: ARG002
        return rows


class CharacterEncoder:
    """A model names it: EncoderSpec("example-plugin", {"width": 512, "size": 3})."""

    name = "example-plugin"
    summary = "runs of characters, counted in buckets"

    def open(self, folder: Path, config: Mapping[str, Any]) -> CharacterEncoding:  # noqa: ARG002
        """Raises BundleError for a width or size below 1."""
        width, size = int(config.get("width", 512)), int(config.get("size", 3))
        if width < 1 or size < 1:
            raise BundleError(f"the encoder {self.name} has the width {width} and the size {size}; both are at least 1")
        return CharacterEncoding(width, size)


@autoft.hookimpl
def autoft_register_encoders() -> Sequence[Encoder]:
    """What the entry point gives to autoft."""
    return [CharacterEncoder()]
