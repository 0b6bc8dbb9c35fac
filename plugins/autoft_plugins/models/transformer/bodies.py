"""The body that a head stands on: a pretrained source as its folder holds it, or one whose weights have been trained."""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from autoft.interfaces.source import Source
from autoft.sources.cache import weight_files
from autoft_plugins.models.transformer.loading import body


class Body(Protocol):
    """Token ids and mask to hidden states."""

    @property
    def model(self) -> Any:
        """In evaluation mode, on the processor."""
        ...

    def save(self, folder: Path) -> None:
        """Config and weights in the library's own layout; `StoredBody(folder)` is the same body."""
        ...

    def config(self) -> dict[str, Any]:
        """The content of its config.json."""
        ...


class StoredBody:
    """As a folder holds it; loaded only when it is asked for answers, and saved as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def model(self) -> Any:
        return body(Source(self._folder.name, self._folder.resolve(), self._stamp()))

    def save(self, folder: Path) -> None:
        weights = weight_files(self._folder)
        index = self._folder / "model.safetensors.index.json"
        for path in [self._folder / "config.json", *weights, *([index] if len(weights) > 1 and index.is_file() else [])]:
            shutil.copy(path, folder / path.name)

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        return found

    def _stamp(self) -> str:
        """Tells the weights of a folder from others that stood there before, without reading them."""
        facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in weight_files(self._folder)]
        return f"{self._folder.resolve()}:{facts}"


class TrainedBody:
    """As it is in memory."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = self.model.config.to_dict()
        return found
