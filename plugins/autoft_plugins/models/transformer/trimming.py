"""A fitted model with a smaller vocabulary: fewer rows in its look-up table, and the tokenizer that goes with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from autoft.errors import ExportError
from autoft.interfaces.encoder import EncoderSpec
from autoft_plugins.encoders.tokens import TOKENIZER_FILE
from autoft_plugins.encoders.vocabulary import Places, kept_ids, places_of, renumbered_settings, tokens_of, trimmed_tokenizer
from autoft_plugins.models.transformer.encoding import SETTINGS_FILE

_COUNTED = 1000
"""Some architectures count positions from the padding id, which then is small, and has to stay where it is."""


@dataclass(frozen=True)
class Smaller:
    """`model` and `encoder` with `kept` of `of` rows of the look-up table."""

    model: Any
    encoder: EncoderSpec
    kept: int
    of: int


def trim(model: Any, encoder: EncoderSpec, used: npt.NDArray[np.int64], share: float) -> Smaller:
    """Keep the ids `used`, what other words are written by, and of the others `share` (`autoft_plugins.encoders.vocabulary.kept_ids`).

    All other weights are those of `model`, shared with it, which stays as it is. Raises ExportError where its vocabulary cannot be trimmed.
    """
    content = json.loads(encoder.files[TOKENIZER_FILE])
    tokens = tokens_of(content)
    table = model.get_input_embeddings()
    if type(table) is not nn.Embedding or model.get_output_embeddings() is not None:
        raise ExportError(f"the look-up table of {type(model).__name__} is more than that: its rows cannot be left out")
    pad = int(encoder.config["pad_id"])
    needed = {pad, *_named(model.config), *(range(pad) if pad < _COUNTED else ())} & set(tokens)
    kept = kept_ids(content, {*used.tolist(), *needed}, share)
    if pad not in needed or kept[-1] >= table.num_embeddings:
        raise ExportError("the vocabulary cannot be trimmed: its tokenizer and its look-up table are not of one model")
    return Smaller(_sliced(model, kept), _with_tokens(encoder, content, kept), len(kept), table.num_embeddings)


def _sliced(model: Any, kept: Sequence[int]) -> Any:
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    small = copy.deepcopy(model, shared)
    table, places = small.get_input_embeddings(), places_of(kept)
    rows = table.weight.detach()[torch.tensor(kept)].clone()
    small.set_input_embeddings(nn.Embedding(len(kept), table.embedding_dim, padding_idx=places.get(table.padding_idx), _weight=rows))
    small.config.vocab_size = len(kept)
    for name, value in _token_ids(small.config).items():
        moved = [places.get(number) for number in value]
        setattr(small.config, name, moved if isinstance(getattr(small.config, name), list) else moved[0])
    return small.eval()


def _with_tokens(encoder: EncoderSpec, content: dict[str, Any], kept: Sequence[int]) -> EncoderSpec:
    places: Places = places_of(kept)
    files = {**encoder.files, TOKENIZER_FILE: trimmed_tokenizer(content, kept).to_str(pretty=True).encode("utf-8")}
    if SETTINGS_FILE in files:
        settings = renumbered_settings(json.loads(files[SETTINGS_FILE]), places)
        files[SETTINGS_FILE] = (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    unknown = encoder.config["unknown_id"]
    ids = {"pad_id": places[int(encoder.config["pad_id"])], "unknown_id": None if unknown is None else places[int(unknown)]}
    return replace(encoder, config={**encoder.config, **ids}, files=files)


def _named(config: Any) -> set[int]:
    return {number for value in _token_ids(config).values() for number in value}


def _token_ids(config: Any) -> dict[str, list[int]]:
    """The ids that a config names: pad_token_id and its like."""
    found = {name: value for name, value in config.to_dict().items() if name.endswith("_token_id") and value is not None}
    return {name: list(value) if isinstance(value, list) else [int(value)] for name, value in found.items()}
