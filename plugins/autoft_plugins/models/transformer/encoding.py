"""The configuration and files of the token encoder for a source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.source import Source
from autoft_plugins.encoders.text_to_text import TextToTextEncoder
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, open_tokenizer
from autoft_plugins.models.transformer.anatomy import anatomy, tokenizer_path

ENCODER_FILE = "encoder.json"
GENERATION_FILE = "generation_config.json"
"""How a model that writes texts does so."""
SETTINGS_FILE = "tokenizer_config.json"
_SPECIALS = "special_tokens_map.json"


def token_config(source: Source, length: int, fields: tuple[str, ...]) -> dict[str, Any]:
    """The `TokenEncoder` config of a source for rows of at most `length` tokens in the roles `fields`, one or two texts."""
    content = json.loads(tokenizer_path(source).read_text(encoding="utf-8"))
    config = anatomy(source).config
    padding = content.get("padding") or {}
    pad = config.get("pad_token_id")
    if pad is None:
        pad = padding.get("pad_id", 0)
    inputs = ["input_ids", "attention_mask"]
    if _takes_types(config):
        inputs.append("token_type_ids")
    return {
        "max_length": length,
        "inputs": inputs,
        "pad_id": int(pad),
        "pad_type_id": int(padding.get("pad_type_id", 0)),
        "unknown_id": _unknown_id(content),
        "fields": list(fields),
    }


def _takes_types(config: Mapping[str, Any]) -> bool:
    # Files written by transformers may leave out values that are the class's default.
    default = 2 if config.get("model_type") in {"bert", "electra", "albert"} else 0
    return int(config.get("type_vocab_size", default)) > 1


def _unknown_id(content: Mapping[str, Any]) -> int | None:
    model = content["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    token, vocabulary = model.get("unk_token"), model.get("vocab")
    if token is None or not isinstance(vocabulary, Mapping):
        return None
    return vocabulary.get(token)


def encoder_spec(source: Source, config: Mapping[str, Any], name: str = "tokens") -> EncoderSpec:
    """The encoder `name` of a source with its files as a bundle holds them: no padding, truncation at max_length; and what other loaders
    have to know of it, which inputs the graph takes and what fills up short rows, where the source does not say."""
    length = int(config["max_length"])
    tokenizer = open_tokenizer(tokenizer_path(source), length)
    files = {TOKENIZER_FILE: tokenizer.to_str(pretty=True).encode("utf-8")}
    settings = source.folder / SETTINGS_FILE
    content = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    for stale in ("max_length", "pad_to_multiple_of", "padding", "truncation", "stride", "name_or_path", "auto_map"):
        content.pop(stale, None)
    content |= {"model_max_length": length, "model_input_names": list(config["inputs"])}
    content["pad_token"] = content.get("pad_token") or tokenizer.id_to_token(int(config["pad_id"]))
    if name == TextToTextEncoder.name:
        content["clean_up_tokenization_spaces"] = False  # what it writes stays as it is; some loaders would take blanks away
    files[SETTINGS_FILE] = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    specials = source.folder / _SPECIALS
    if specials.is_file():
        files[_SPECIALS] = specials.read_bytes()
    return EncoderSpec(name, dict(config), files)


def save_encoder(spec: EncoderSpec, folder: Path) -> None:
    """The tokenizer's files, and the encoder's name and config beside them."""
    for name, content in spec.files.items():
        (folder / name).write_bytes(content)
    named = {"name": spec.name, "config": spec.config}
    (folder / ENCODER_FILE).write_text(json.dumps(named, indent=2) + "\n", encoding="utf-8")


def load_encoder(folder: Path) -> EncoderSpec:
    """What `save_encoder` wrote."""
    names = (TOKENIZER_FILE, SETTINGS_FILE, _SPECIALS, GENERATION_FILE)
    files = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    content = json.loads((folder / ENCODER_FILE).read_text(encoding="utf-8"))
    return EncoderSpec(content["name"], content["config"], files)
