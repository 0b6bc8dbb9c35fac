"""Images as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Tensor


def as_image(value: object) -> npt.NDArray[np.float32] | None:
    """Grey values (height, width) from 0 to 1; None for what is no such image."""
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(isinstance(row, list | tuple) and len(row) == len(value[0]) for row in value)
    ):
        return None
    if not value[0] or not all(
        isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell <= 1 for row in value for cell in row
    ):
        return None
    return np.asarray(value, np.float32)


class PixelEncoding:
    """`pixel_values` (batch, 1, height, width) float32 from -1 to 1, as vision models are used to."""

    max_length: int | None = None

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.inputs = (Tensor("pixel_values", "float32", ("batch", 1, height, width)),)

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        images = [np.asarray(image, np.float32) for image in rows["image"]]
        pixels = np.stack(images)[:, None] * 2 - 1 if images else np.zeros((0, 1, *self.shape), np.float32)
        return Encoded({"pixel_values": pixels.astype(np.float32)}, np.ones(len(images), np.int64), np.zeros(len(images), np.bool_))

    def resized(self, rows: Table, length: int) -> Table:
        return rows


class Pixels:
    """The plugin."""

    name = "pixels"
    summary = "grey images of one size"

    def open(self, folder: Path, config: Mapping[str, Any]) -> PixelEncoding:
        """Raises BundleError where the size is not told."""
        if "height" not in config or "width" not in config:
            raise BundleError(f"the encoder {self.name} is told no height and width")
        return PixelEncoding(int(config["height"]), int(config["width"]))
