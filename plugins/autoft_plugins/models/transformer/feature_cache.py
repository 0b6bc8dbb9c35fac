"""Features of a source, computed once and shared, memory-mapped, by the ranking of sources and by all trials of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Rows
from autoft.interfaces.model import FitData
from autoft.interfaces.source import Source
from autoft_plugins.encoders.token_pairs import alone, one_by_one
from autoft_plugins.models.transformer.anatomy import tokenizer_sha256
from autoft_plugins.models.transformer.features import pooled, pooled_layers, views_in
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.loading import body
from autoft_plugins.models.transformer.precision import device_for
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.tokenization import tokenised, written_once

Floats = npt.NDArray[np.float32]

_LAST = ("vectors",)
_BOTH = ("vectors", "layers")


def features_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> Floats:
    """Features, float32 (rows, width), of the rows that are learned from or validated on; those of others (test) are left zero.

    Raises TrialError when stopped before they are there.
    """
    rows = np.union1d(data.train, data.validation)
    return _Asked(source, data, config, gpus, stop).views(rows, _LAST)["vectors"]


def views_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> dict[str, Floats]:
    """Of the training rows, (train, width) each: features from the last hidden states (`vectors`), as `features_of` gives them, and from
    the mean over the layers (`layers`). Raises as that does."""
    found = _Asked(source, data, config, gpus, stop).views(np.unique(data.train), _BOTH)
    return {name: np.asarray(features[data.train]) for name, features in found.items()}


@dataclass(frozen=True)
class _Asked:
    """What features depend on. A folder of the cache holds those of a set of rows; of another set only the rows that are in none of the
    folders are read."""

    source: Source
    data: FitData
    config: dict[str, Any]
    gpus: float
    stop: Callable[[], bool]

    def views(self, rows: Rows, names: tuple[str, ...]) -> dict[str, Floats]:
        """Memory-mapped, (rows of the data, width), zeros in rows that were not asked for."""
        key = self._key()
        own = hashlib.sha256(f"{names}".encode() + rows.tobytes()).hexdigest()[:12]
        folder = written_once(self.data.cache / f"features-{key}-{own}", lambda aside: self._write(aside, key, rows, names))
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}

    def _key(self) -> str:
        config = json.dumps(self.config, sort_keys=True)
        facts = f"{self.source.sha256}:{tokenizer_sha256(self.source)}:{config}:{self.data.rows.sha256()}"
        return hashlib.sha256(facts.encode()).hexdigest()[:24]

    def _write(self, folder: Path, key: str, rows: Rows, names: tuple[str, ...]) -> None:
        known = self._known(key, rows, names)
        missing = np.setdiff1d(rows, np.concatenate([own for own, _ in known]) if known else [])
        pieces = [*known, (missing, self._read(missing, names))] if len(missing) else known
        for name in names:
            width = pieces[0][1][name].shape[1]
            # A file of zeros takes no room on the disk until something is written into it.
            whole = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (len(self.data.rows), width))
            for own, part in pieces:
                whole[own] = part[name]
            whole.flush()
        np.save(folder / "rows.npy", rows)

    def _known(self, key: str, rows: Rows, names: tuple[str, ...]) -> list[tuple[Rows, dict[str, Floats]]]:
        """Those of `rows` that folders of the cache hold, with their features."""
        found: list[tuple[Rows, dict[str, Floats]]] = []
        # What is being written aside has a dot in its name.
        for folder in sorted(path for path in self.data.cache.glob(f"features-{key}-*") if "." not in path.name):
            if all((folder / f"{name}.npy").is_file() for name in names):
                own = np.intersect1d(rows, np.load(folder / "rows.npy"))
                found.append((own, {name: np.load(folder / f"{name}.npy", mmap_mode="r")[own] for name in names}))
        return found

    def _read(self, rows: Rows, names: tuple[str, ...]) -> dict[str, Floats]:
        fields = self.config["fields"]
        tokens = tokenised(self.source, one_by_one(self.data.rows, fields), alone(self.config), self.data.cache)
        device = device_for(self.gpus)
        model = body(self.source).to(device.device)
        run = Runner(device.device, MemoryLimit(self.source.sha256, device.device, "inference"), device.autocast, stop=self.stop)
        return views_in(tokens, rows, len(fields), (pooled_layers if names == _BOTH else pooled)(model), run)
