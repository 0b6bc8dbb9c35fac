"""Mean-pooled features of a source, computed once and shared, memory-mapped, by all trials of a run; of two texts, how they differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from autoft.data.table import Rows
from autoft.errors import TrialError
from autoft.interfaces.model import FitData
from autoft.interfaces.source import Source
from autoft_plugins.encoders.token_pairs import alone, one_by_one
from autoft_plugins.models.transformer.anatomy import tokenizer_sha256
from autoft_plugins.models.transformer.inference import Forward, Runner
from autoft_plugins.models.transformer.loading import body
from autoft_plugins.models.transformer.precision import device_for
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.tokenization import TokenisedRows, tokenised, written_once

_ORDER, _COSINE = 0.2, 5.0

Floats = npt.NDArray[np.float32]


def mean_pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    """(rows, length, width) and (rows, length) to (rows, width): the mean over the tokens that are no padding."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1.0)


def related(vectors: Tensor) -> Tensor:
    """(rows, texts, width) to features of the rows: a single text's own (rows, width); of two (rows, 2 * width + 1), of their unit vectors
    the distance in each direction, the difference, and the cosine."""
    if vectors.shape[1] == 1:
        return vectors[:, 0]
    one, two = nn.functional.normalize(vectors, dim=-1).unbind(1)
    return torch.cat([(one - two).abs(), one - two, (one * two).sum(-1, keepdim=True)], dim=-1)


def emphasis(width: int, texts: int) -> npt.NDArray[np.float64]:
    """(width,), what each of the features of `related` is multiplied by once it is standardised: a larger one is penalised less.

    How alike two texts are tells most; which of them comes first, of use for entailment, tells nothing in most data and costs rows to find
    out. Chosen by cross-validation on 500 and 3,000 pairs of two data sets with two sources; the products of the two vectors, as usual
    beside these, lost more with few rows of entailment than they gained elsewhere.
    """
    made = np.ones(width)
    if texts == 2:
        made[width // 2 : -1], made[-1] = _ORDER, _COSINE
    return made


def pooled(model: Any) -> Forward:
    """The last hidden states of `model`, mean-pooled."""
    return lambda inputs: {"vectors": mean_pooled(model(**inputs).last_hidden_state.float(), inputs["attention_mask"])}


def features_in(tokens: TokenisedRows, rows: Rows, texts: int, model: Any, run: Runner) -> Floats:
    """Features (rows, width) of `rows`, whose `texts` texts each stand one after the other in `tokens`; a text that comes in several
    rows is read once.

    Raises TrialError when stopped before they are there.
    """
    wanted = rows[:, None] * texts + np.arange(texts)
    units, places = tokens.distinct(wanted.ravel())
    found = run(pooled(model), lambda some: tokens.inputs(units[some]), tokens.lengths[units])
    if found is None:
        raise TrialError("stopped before the features were computed")
    made: Floats = related(torch.from_numpy(found["vectors"][places].reshape(*wanted.shape, -1))).numpy()
    return made


def features_of(source: Source, data: FitData, config: dict[str, Any], gpus: float, stop: Callable[[], bool]) -> Floats:
    """Features, float32 (rows, width), of the rows that are learned from or validated on; those of others (test) are left zero.

    Raises TrialError when stopped before they are there.
    """
    fields = config["fields"]
    tokens = tokenised(source, one_by_one(data.rows, fields), alone(config), data.cache)
    rows = np.union1d(data.train, data.validation)
    facts = f"{source.sha256}:{tokenizer_sha256(source)}:{json.dumps(config, sort_keys=True)}:{data.rows.sha256()}:"
    key = hashlib.sha256(facts.encode() + rows.tobytes()).hexdigest()[:24]

    def write(folder: Path) -> None:
        device = device_for(gpus)
        model = body(source).to(device.device)
        limit = MemoryLimit(source.sha256, device.device, "inference")
        part = features_in(tokens, rows, len(fields), model, Runner(device.device, limit, device.autocast, stop=stop))
        made = np.zeros((len(data.rows), part.shape[1]), np.float32)
        made[rows] = part
        np.save(folder / "features.npy", made)

    folder = written_once(data.cache / f"features-{key}", write)
    made: Floats = np.load(folder / "features.npy", mmap_mode="r")
    return made
