"""What a source's files tell without loading it: sizes, lengths, its tokenizer."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import SourceError
from autoft.interfaces.source import Source
from autoft.sources import cache_folder
from autoft.sources.cache import file_sha256, weight_files
from autoft_plugins.encoders.tokens import TOKENIZER_FILE
from autoft_plugins.models.transformer.structure import STRUCTURES

DEFAULT_LENGTH = 256
"""Tokens a text may have where the problem names no length."""

TOKENIZER_FILES = (
    "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model", "*.spm", "*.tiktoken",
)  # fmt: skip
_DEEP = 6
"""Layers of which the lower ones may be left: it was measured with so many."""
_LOOKUPS = ("word_embeddings", "position_embeddings", "token_type_embeddings", "embed_tokens", "shared.", "tok_embeddings", "wte.", "wpe.")


@dataclass(frozen=True)
class Anatomy:
    """`body` counts the parameters that multiply each token (look-up tables left out; shared layers once a use);
    `width` and `layers` shape the activations; `positions` is the longest input."""

    parameters: int
    body: int
    width: int
    layers: int
    positions: int
    config: dict[str, Any]
    decoder: int = 0
    """Those of the body's layers that multiply each token that is written, not each that is read; the table of the output left out."""
    once: int = 0
    """Those of the body that multiply one token of a text where nothing but its first token is read, see `first_token`."""
    a_layer: int = 0
    """Those of one layer, where `structure` knows it; else 0."""

    def max_length(self, wanted: int | None) -> int:
        """`wanted` tokens, or the default, within what the source can take."""
        return min(wanted or DEFAULT_LENGTH, self.positions)

    def forward_flops(self, lengths: npt.NDArray[np.int64], *, first_only: bool = False) -> npt.NDArray[np.float64]:
        """Floating-point operations of an encoder's matrix products for inputs of so many tokens, (n,) to (n,); `first_only`: where
        nothing but the first of them is read.

        Two for each token and parameter of the body (Kaplan et al., arXiv 2001.08361, section 2.1), and for attention, whose products grow
        with the square of the length, 4 x layers x width x length a token (Chowdhery et al., PaLM, arXiv 2204.02311, appendix B). Look-ups,
        norms, softmax, what relative positions add to attention, heads that a source lacks, and a CRF are left out.
        """
        read = lengths.astype(np.float64)
        once = self.once if first_only else 0
        return 2.0 * (self.body - once) * read + 2.0 * once + 4.0 * self.layers * self.width * read**2

    @property
    def freezes(self) -> bool:
        """Whether its lower layers can be left as they are, and there are enough to do so."""
        return self.a_layer > 0 and self.layers >= _DEEP

    def layer_flops(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Those of one layer, all tokens read, as `forward_flops` counts them."""
        read = lengths.astype(np.float64)
        return 2.0 * self.a_layer * read + 4.0 * self.width * read**2


def anatomy(source: Source) -> Anatomy:
    """Read config.json and the headers of the safetensors files. Raises SourceError."""
    return _anatomy(source.folder, source.name, f"{source.sha256}:{tokenizer_sha256(source)}")


@cache
def _anatomy(folder: Path, name: str, state: str) -> Anatomy:  # noqa: ARG001
    config = _json(folder / "config.json", name)
    shapes = _shapes(folder, name)
    layers = int(_first(config, "num_hidden_layers", "n_layers", "n_layer", "num_layers", default=12))
    width = int(_first(config, "hidden_size", "dim", "d_model", "n_embd", default=768))
    total = sum(math.prod(shape) for shape in shapes.values())
    body = sum(math.prod(shape) for key, shape in shapes.items() if not _is_lookup(key))
    decoder = sum(math.prod(shape) for key, shape in shapes.items() if "decoder" in key.split(".") and not _is_lookup(key))
    kind = str(config.get("model_type"))
    once, a_layer = 0, 0
    if structure := STRUCTURES.get(kind):
        once = sum(math.prod(shape) for key, shape in shapes.items() if structure.is_read_once(key, layers - 1))
        a_layer = sum(math.prod(shape) for key, shape in shapes.items() if structure.is_in_layer(key, layers - 1))
    if kind == "albert":
        body *= layers // max(1, int(config.get("num_hidden_groups", 1)))
    decoder = decoder if config.get("is_encoder_decoder") else 0
    return Anatomy(total, body, width, layers, _positions(config, folder), config, decoder, once, a_layer)


def _is_lookup(key: str) -> bool:
    return any(word in key for word in _LOOKUPS)


def _positions(config: dict[str, Any], folder: Path) -> int:
    positions = int(_first(config, "max_position_embeddings", "n_positions", default=512))
    if config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl", "xmod"}:
        # These count positions from behind the padding id.
        positions -= int(config.get("pad_token_id") or 1) + 1
    settings = folder / "tokenizer_config.json"
    limit = json.loads(settings.read_text(encoding="utf-8")).get("model_max_length") if settings.is_file() else None
    return min(positions, int(limit)) if isinstance(limit, int | float) and 0 < limit < 1e6 else positions


def _shapes(folder: Path, name: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes |= {key: tuple(value["shape"]) for key, value in header.items() if key != "__metadata__"}
    if not shapes:
        raise SourceError(f"source {name!r}: no *.safetensors in {folder}", hint=f"autoft models fetch {name}")
    return shapes


def tokenizer_sha256(source: Source) -> str:
    """One hash over the files of a source's tokenizer, which `Source.sha256` leaves out. Raises SourceError."""
    found = {path for pattern in TOKENIZER_FILES for path in source.folder.glob(pattern) if path.is_file()}
    try:
        lines = [f"{path.name} {file_sha256(path)}" for path in sorted(found)]
    except OSError as error:
        hint = f"autoft models fetch {source.name}"
        raise SourceError(f"source {source.name!r}: its tokenizer cannot be read: {error}", hint=hint) from error
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def tokenizer_path(source: Source) -> Path:
    """The source's tokenizer.json; made once in the cache folder for sources that have only a slow tokenizer. Raises SourceError."""
    own = source.folder / TOKENIZER_FILE
    return own if own.is_file() else _converted(source)


def _converted(source: Source) -> Path:
    key = hashlib.sha256(f"{source.sha256}:{tokenizer_sha256(source)}".encode()).hexdigest()
    path = cache_folder() / "tokenizers" / key / TOKENIZER_FILE
    if path.is_file():
        return path
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
        content = tokenizer.backend_tokenizer.to_str()
    except Exception as error:  # any of a dozen kinds, by which converter fails
        raise SourceError(
            f"source {source.name!r}: its tokenizer cannot be converted to {TOKENIZER_FILE}: {error}",
            hint="pip install tiktoken where it needs that, or choose another source: autoft models",
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(aside).replace(path)
    except OSError as error:
        reason = f"the cache folder {path.parent} cannot be written: {error.strerror or error}"
        raise SourceError(reason, hint="export AUTOFT_CACHE=FOLDER") from error
    return path


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"source {name!r}: {path} cannot be read: {error}", hint=f"autoft models fetch {name}") from error
    return content


def _first(config: dict[str, Any], *keys: str, default: int) -> int:
    return next((config[key] for key in keys if config.get(key)), default)
