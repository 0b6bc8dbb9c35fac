"""Mean-pooled features of a source, computed once and shared, memory-mapped, by all trials of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from autoft.errors import TrialError
from autoft.interfaces.model import FitData
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.anatomy import tokenizer_sha256
from autoft_plugins.models.transformer.inference import Forward, Runner
from autoft_plugins.models.transformer.loading import body
from autoft_plugins.models.transformer.precision import device_for
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.tokenization import tokenised, written_once


def mean_pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    """(rows, length, width) and (rows, length) to (rows, width): the mean over the tokens that are no padding."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1.0)


def pooled(model: Any) -> Forward:
    """The last hidden states of `model`, mean-pooled."""
    return lambda inputs: {"features": mean_pooled(model(**inputs).last_hidden_state.float(), inputs["attention_mask"])}


def features_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> npt.NDArray[np.float32]:
    """Features, float32 (rows, width), of the rows that are learned from or validated on; those of others (test) are left zero.

    Raises TrialError when stopped before they are there.
    """
    tokens = tokenised(source, data.rows, config, data.cache)
    rows = np.union1d(data.train, data.validation)
    what = f"{source.sha256}:{tokenizer_sha256(source)}:{config['max_length']}:{data.rows.sha256()}:".encode() + rows.tobytes()
    key = hashlib.sha256(what).hexdigest()[:24]

    def write(folder: Path) -> None:
        device = device_for(gpus)
        model = body(source).to(device.device)
        limit = MemoryLimit(source.sha256, device.device, "inference")
        run = Runner(device.device, limit, device.autocast, stop=stop)
        part = run(pooled(model), lambda units: tokens.inputs(rows[units]), tokens.lengths[rows])
        if part is None:
            raise TrialError("stopped before the features were computed")
        made = np.zeros((len(tokens), part["features"].shape[1]), np.float32)
        made[rows] = part["features"]
        np.save(folder / "features.npy", made)

    folder = written_once(data.cache / f"features-{key}", write)
    made: npt.NDArray[np.float32] = np.load(folder / "features.npy", mmap_mode="r")
    return made
