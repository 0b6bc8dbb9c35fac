"""What a source makes of the rows, computed once and shared, memory-mapped, by the ranking of sources and by all trials of a run:
features of a row, and what its lower layers make of each token."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoft.data.table import Rows
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData
from autoft.interfaces.source import Source
from autoft_plugins.encoders.token_pairs import alone, one_by_one
from autoft_plugins.models.transformer.anatomy import anatomy, tokenizer_sha256
from autoft_plugins.models.transformer.features import pooled, pooled_layers, views_in
from autoft_plugins.models.transformer.freezing import kept_depths, state_bytes
from autoft_plugins.models.transformer.inference import Forward, Runner
from autoft_plugins.models.transformer.loading import body
from autoft_plugins.models.transformer.precision import device_for
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.structure import STRUCTURES
from autoft_plugins.models.transformer.tokenization import TokenisedRows, tokenised, written_once

Floats = npt.NDArray[np.float32]

SPARED = 4
"""As many times the room that states take must be free on the disk: what is mapped into memory ends the process where there is none."""

_LAST = ("vectors",)
_BOTH = ("vectors", "layers")
_STATES, _NUMBERS = "states-", "numbers"


def features_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> Floats:
    """Features, float32 (rows, width), of the rows that are learned from or validated on; those that nobody asked for (test) are zero.

    Raises TrialError when stopped before they are there.
    """
    asked = _Asked(source, data, config, gpus, stop)
    return asked.views(_judged(data), _LAST, asked.depths)["vectors"]


def views_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> dict[str, Floats]:
    """Of the training rows, (train, width) each: features from the last hidden states (`vectors`), as `features_of` gives them, and from
    the mean over the layers (`layers`). Raises as that does."""
    asked = _Asked(source, data, config, gpus, stop)
    found = asked.views(np.unique(data.train), _BOTH, asked.depths)
    return {name: np.asarray(found[name][data.train]) for name in _BOTH}


def states_of(source: Source, data: FitData, config: dict[str, Any], depth: int, gpus: float, stop: Callable[[], bool]) -> Tensor | None:
    """What the lowest `depth` layers make of each token, float16 (tokens of all rows, width), numbered as `TokenisedRows.numbered` does,
    of the rows that are learned from or validated on. None of a depth that is not among `kept_depths`, or where the disk has no room for
    them. Raises as `features_of` does."""
    asked = _Asked(source, data, config, gpus, stop)
    if depth not in asked.depths:
        return None
    found = asked.views(_judged(data), (), tuple(one for one in asked.depths if one <= depth))
    return torch.from_numpy(found[f"{_STATES}{depth}"]) if found else None


def _judged(data: FitData) -> Rows:
    return np.union1d(data.train, data.validation)


@dataclass(frozen=True)
class _Asked:
    """What features depend on. A folder of the cache holds those of a set of rows; of another set only the rows that are in none of the
    folders are read."""

    source: Source
    data: FitData
    config: dict[str, Any]
    gpus: float
    stop: Callable[[], bool]

    @cached_property
    def tokens(self) -> TokenisedRows:
        return tokenised(self.source, one_by_one(self.data.rows, self.config["fields"]), alone(self.config), self.data.cache)

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Of the lowest layers, as many as there are states kept of."""
        return kept_depths(anatomy(self.source), self.data.problem, len(self.tokens.ids))

    def views(self, rows: Rows, features: tuple[str, ...], depths: tuple[int, ...]) -> dict[str, npt.NDArray[Any]]:
        """Memory-mapped, by name: of features (rows of the data, width), of states (tokens of the data, width); zeros where nobody asked.
        No states where they are not there yet and the disk has no room for them."""
        key, names = self._key(), (*features, *(f"{_STATES}{depth}" for depth in depths))
        folder = self._covering(key, rows, names)
        if folder is None and depths and not self._has_room(depths):
            if not features:
                return {}
            names = features
            folder = self._covering(key, rows, names)
        if folder is None:
            own = hashlib.sha256(f"{names}".encode() + rows.tobytes()).hexdigest()[:12]
            folder = written_once(self.data.cache / f"features-{key}-{own}", lambda aside: self._write(aside, key, rows, names))
        # "c": torch has no tensors that cannot be written to; nobody does.
        return {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in names}

    def _key(self) -> str:
        config = json.dumps(self.config, sort_keys=True)
        facts = f"{self.source.sha256}:{tokenizer_sha256(self.source)}:{config}:{self.data.rows.sha256()}"
        return hashlib.sha256(facts.encode()).hexdigest()[:24]

    def _has_room(self, depths: tuple[int, ...]) -> bool:
        self.data.cache.mkdir(parents=True, exist_ok=True)
        states = len(depths) * state_bytes(anatomy(self.source), len(self.tokens.ids))
        return shutil.disk_usage(self.data.cache).free > SPARED * states

    def _covering(self, key: str, rows: Rows, names: tuple[str, ...]) -> Path | None:
        """A folder of the cache that holds `names` of all these rows."""
        return next((folder for folder, own in self._folders(key, names) if np.isin(rows, own).all()), None)

    def _folders(self, key: str, names: tuple[str, ...]) -> list[tuple[Path, Rows]]:
        """Those of the cache that hold `names`, each with its rows."""
        # What is being written aside has a dot in its name.
        found = [path for path in sorted(self.data.cache.glob(f"features-{key}-*")) if "." not in path.name]
        return [(path, np.load(path / "rows.npy")) for path in found if all((path / f"{name}.npy").is_file() for name in names)]

    def _write(self, folder: Path, key: str, rows: Rows, names: tuple[str, ...]) -> None:
        known = [(np.intersect1d(rows, own), path) for path, own in self._folders(key, names)]
        missing = np.setdiff1d(rows, np.concatenate([own for own, _ in known])) if known else rows
        width, tokens = anatomy(self.source).width, len(self.tokens.ids)
        # A file of zeros takes no room on the disk until something is written into it.
        made = {name: _zeros(folder, name, np.float16, (tokens, width)) for name in names if _is_state(name)}
        read = self._read(missing, names, made) if len(missing) else {}
        for name in names:
            parts = [(own, np.load(path / f"{name}.npy", mmap_mode="r")) for own, path in known]
            if name not in made:
                wide = read[name].shape[1] if read else parts[0][1].shape[1]
                made[name] = _zeros(folder, name, np.float32, (len(self.data.rows), wide))
                if read:
                    made[name][missing] = read[name]
            for own, part in parts:
                places = self.tokens.of(own) if _is_state(name) else own
                made[name][places] = part[places]
            made[name].flush()
        np.save(folder / "rows.npy", rows)

    def _read(self, rows: Rows, names: tuple[str, ...], states: Mapping[str, npt.NDArray[np.float16]]) -> dict[str, Floats]:
        """Features of `rows`; into `states` goes what is kept of their tokens."""
        tokens, texts = self.tokens, len(self.config["fields"])
        device = device_for(self.gpus)
        model = body(self.source)
        depths = {int(name.removeprefix(_STATES)): kept for name, kept in states.items()}
        if all(map(_is_state, names)):
            structure = STRUCTURES[model.config.model_type]
            structure.put_layers(model, structure.layers_of(model)[: max(depths)])
        model.to(device.device)
        forward = (pooled_layers if "layers" in names else pooled)(model)
        run = Runner(device.device, MemoryLimit(self.source.sha256, device.device, "inference"), device.autocast, stop=self.stop)
        if not depths:
            return views_in(tokens, rows, texts, forward, run, tokens.inputs)
        numbered = tokens.numbered()

        def inputs(units: Rows) -> Arrays:
            return {**tokens.inputs(units), _NUMBERS: numbered.inputs(units)["input_ids"]}

        found = views_in(tokens, rows, texts, _keeping(model, forward, depths), run, inputs)
        units, places = tokens.distinct(rows)
        twins = units[places] != rows
        for kept in depths.values():
            kept[tokens.of(rows[twins])] = kept[tokens.of(units[places][twins])]
        return found


def _keeping(model: Any, forward: Forward, kept: Mapping[int, npt.NDArray[np.float16]]) -> Forward:
    """`forward`, which also writes what so many of the lowest layers make of each token into their states, at the token's number."""
    layers = STRUCTURES[model.config.model_type].layers_of(model)
    made: dict[int, Tensor] = {}

    def note(depth: int, output: Any) -> None:
        made[depth] = output[0] if isinstance(output, tuple) else output

    for depth in kept:
        layers[depth - 1].register_forward_hook(lambda _module, _inputs, output, depth=depth: note(depth, output))

    def keeping(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = forward({name: value for name, value in inputs.items() if name != _NUMBERS})
        read = inputs["attention_mask"].bool()
        numbers = inputs[_NUMBERS][read].cpu().numpy()
        for depth, states in kept.items():
            states[numbers] = made[depth][read].half().cpu().numpy()
        return found

    return keeping


def _is_state(name: str) -> bool:
    return name.startswith(_STATES)


def _zeros(folder: Path, name: str, dtype: type[np.floating[Any]], shape: tuple[int, int]) -> np.memmap[Any, np.dtype[Any]]:
    return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
