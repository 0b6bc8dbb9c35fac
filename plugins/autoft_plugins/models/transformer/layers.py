"""A source made of some of the layers of a model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from autoft.errors import TrialError
from autoft.interfaces.source import Source
from autoft.sources.cache import count_parameters, fingerprint, weight_files
from autoft_plugins.encoders.tokens import TOKENIZER_FILE
from autoft_plugins.models.transformer.anatomy import TOKENIZER_FILES, tokenizer_path
from autoft_plugins.models.transformer.objectives import HEAD_FILE, saved_kind

COUNTS = {
    "bert": "num_hidden_layers", "distilbert": "n_layers", "roberta": "num_hidden_layers", "xlm-roberta": "num_hidden_layers",
    "camembert": "num_hidden_layers", "electra": "num_hidden_layers", "mpnet": "num_hidden_layers", "deberta-v2": "num_hidden_layers",
}  # fmt: skip
"""Architectures whose layers are alike, each with weights of its own -> the fact of config.json that counts them."""

_LAYER = re.compile(r"(?:^|\.)layer\.(\d+)\.")
_LAST = re.compile(r"(?:classifier|classifier\.out_proj)\.(?:weight|bias)")
"""The last linear layer of these architectures."""


def shortened(model: Path, source: Source, layers: int, folder: Path) -> Source:
    """See `autoft.interfaces.model.Distils`. Of L layers that make N equal groups the last of each stays, the uppermost among them, since
    the head reads it (Sun et al., EMNLP 2019, arXiv 1908.09355, section 4.1: what they skip). A head stays as it is, but for the last
    layer of one that gives numbers, which holds their scale."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    kind = str(config.get("model_type"))
    if kind not in COUNTS:
        raise TrialError(
            f"layers of {kind} cannot be left out; those of {', '.join(COUNTS)} can", hint="--distill SOURCE names a smaller source"
        )
    weights: dict[str, Tensor] = {}
    for path in weight_files(model):
        weights |= load_file(path)
    there = 1 + max((int(found[1]) for found in map(_LAYER.search, weights) if found), default=-1)
    if not 0 < layers < there:
        raise TrialError(
            f"of the {there} layers of {source.name}, {layers} cannot be kept", hint=f"--distill layers=N, N from 1 to {there - 1}"
        )
    kept = [(place + 1) * there // layers - 1 for place in range(layers)]
    scaled = (model / HEAD_FILE).is_file() and saved_kind(model) == "regression"
    folder.mkdir(parents=True)
    save_file(_of_layers(weights, kept, drop_last=scaled), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, COUNTS[kind]: layers}, indent=2) + "\n", encoding="utf-8")
    for path in {path for pattern in TOKENIZER_FILES for path in model.glob(pattern) if path.is_file()}:
        shutil.copyfile(path, folder / path.name)
    if not (folder / TOKENIZER_FILE).is_file():
        shutil.copyfile(tokenizer_path(source), folder / TOKENIZER_FILE)
    name = f"{source.name}-layers-{layers}"
    return Source(name, folder, fingerprint(folder), source.licence, source.languages, count_parameters(folder))


def _of_layers(weights: dict[str, Tensor], kept: list[int], *, drop_last: bool) -> dict[str, Tensor]:
    places = {layer: place for place, layer in enumerate(kept)}
    made: dict[str, Tensor] = {}
    for name, value in weights.items():
        found = _LAYER.search(name)
        if found is None:
            if not (drop_last and _LAST.fullmatch(name)):
                made[name] = value
        elif int(found[1]) in places:
            made[f"{name[: found.start(1)]}{places[int(found[1])]}{name[found.end(1) :]}"] = value
    return made
