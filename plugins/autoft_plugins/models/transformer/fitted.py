"""Fine-tuned classifiers after training."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Encoding, Tensor
from autoft.interfaces.model import Part, Program, Trimmed
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, TokenEncoding, set_length
from autoft_plugins.models.transformer.encoding import load_encoder
from autoft_plugins.models.transformer.first_token import that_reads_first
from autoft_plugins.models.transformer.inference import Forward, on_processor
from autoft_plugins.models.transformer.loading import reload
from autoft_plugins.models.transformer.objectives import objective_type, saved_kind
from autoft_plugins.models.transformer.objectives.base import save_model
from autoft_plugins.models.transformer.objectives.last_layer import rescaled
from autoft_plugins.models.transformer.tokenization import tokenise
from autoft_plugins.models.transformer.trimming import trim

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PRIVATE = ("_name_or_path", "auto_map")
"""Facts of a config that are not the model's: where it was loaded from, and code that is never run."""


class FittedClassifier:
    """A transformers classifier of rows, its encoder and its kind of head."""

    def __init__(self, model: Any, encoder: EncoderSpec, kind: str) -> None:
        self.model = model.eval()
        self.encoder = encoder
        self.kind = kind

    def outputs(self, rows: Table) -> Arrays:
        """`logits`, float32, (rows, outputs)."""
        if not len(rows):
            return {"logits": np.zeros((0, int(self.model.config.num_labels)), np.float32)}
        return outputs_of(lambda inputs: {"logits": self.model(**inputs).logits}, self._encoding, rows)

    @cached_property
    def _encoding(self) -> TokenEncoding:
        return open_encoding(self.encoder)

    def extra(self) -> Arrays:
        return {}

    def rescaled(self, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> FittedClassifier | None:
        """See `autoft.interfaces.model.Rescales`; None where the model does not end in a linear layer with a bias."""
        model = rescaled(self.model, scale, shift)
        return None if model is None else FittedClassifier(model, self.encoder, self.kind)

    def save(self, folder: Path) -> None:
        save_model(self.model, self.encoder, self.kind, folder)

    def program(self) -> Program:
        graph = that_reads_first(self.model)
        return program_of(graph, self.encoder, self._encoding, int(self.model.config.num_labels), config_of(self.model))

    def trimmed(self, rows: Table, share: float) -> Trimmed:
        """See `autoft.interfaces.model.TrimsVocabulary`."""
        small = trim(self.model, self.encoder, np.unique(tokenise(self._encoding, rows).ids), share)
        return Trimmed(FittedClassifier(small.model, small.encoder, self.kind), small.kept, small.of)


def load_classifier(folder: Path) -> FittedClassifier:
    """What `FittedClassifier.save` wrote."""
    kind = saved_kind(folder)
    return FittedClassifier(reload(folder, objective_type(kind).auto_class), load_encoder(folder), kind)


def config_of(model: Any) -> dict[str, Any]:
    """The content of a bundle's config.json."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in PRIVATE}
    return {**config, "architectures": [type(model).__name__]}


def tokenizer_of(encoder: EncoderSpec) -> Tokenizer:
    """The tokenizer of a spec, from its files in memory."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(encoder.files[TOKENIZER_FILE].decode("utf-8"))


def open_encoding(encoder: EncoderSpec) -> TokenEncoding:
    """The encoding of a spec, from its files in memory."""
    tokenizer = tokenizer_of(encoder)
    set_length(tokenizer, int(encoder.config["max_length"]))
    return TokenEncoding(tokenizer, encoder.config)


def outputs_of(forward: Forward, encoding: TokenEncoding, rows: Table) -> Arrays:
    """`forward` over all rows in full precision on the processor."""
    tokens = tokenise(encoding, rows)
    return on_processor()(forward, tokens.inputs, tokens.lengths) or {}


def program_of(graph: Any, encoder: EncoderSpec, encoding: Encoding, outputs: int, config: dict[str, Any]) -> Program:
    """One part, ids and mask to logits, batch and length free; `encoding` is what `encoder` opens."""
    rows = Table({field: ["an example", "a second example that is longer"] for field in encoder.config["fields"]})
    example = encoding.encode(rows, pad_to=8).arrays
    part = Part("model", graph, encoding.inputs, (Tensor("logits", "float32", ("batch", outputs)),), example)
    return Program((part,), encoder, config)
