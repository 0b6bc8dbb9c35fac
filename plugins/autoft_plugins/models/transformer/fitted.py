"""Fine-tuned classifiers after training."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Part, Program
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, TokenEncoding, set_length
from autoft_plugins.models.transformer.encoding import load_encoder
from autoft_plugins.models.transformer.inference import Forward, run_rows
from autoft_plugins.models.transformer.loading import reload
from autoft_plugins.models.transformer.stepping import MemoryLimit
from autoft_plugins.models.transformer.tokenization import tokenise
from autoft_plugins.models.transformer.training import save_model

PRIVATE = ("_name_or_path", "auto_map")
"""Facts of a config that are not the model's: where it was loaded from, and code that is never run."""


class FittedClassifier:
    """A transformers classifier and its encoder."""

    def __init__(self, model: Any, encoder: EncoderSpec) -> None:
        self.model = model.eval()
        self.encoder = encoder

    def outputs(self, rows: Table) -> Arrays:
        """`logits`, float32, (rows, outputs)."""
        return {"logits": outputs_of(lambda ids, mask: self.model(input_ids=ids, attention_mask=mask).logits, self._encoding, rows)}

    @cached_property
    def _encoding(self) -> TokenEncoding:
        return open_encoding(self.encoder)

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        save_model(self.model, self.encoder, folder)

    def program(self) -> Program:
        config = {name: value for name, value in self.model.config.to_dict().items() if name not in PRIVATE}
        config["architectures"] = [type(self.model).__name__]
        return program_of(self.model, self.encoder, int(self.model.config.num_labels), config)


def load_classifier(folder: Path) -> FittedClassifier:
    """What `FittedClassifier.save` wrote."""
    return FittedClassifier(reload(folder), load_encoder(folder))


def open_encoding(encoder: EncoderSpec) -> TokenEncoding:
    """The encoding of a spec, from its files in memory."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(encoder.files[TOKENIZER_FILE].decode("utf-8"))
    set_length(tokenizer, int(encoder.config["max_length"]))
    return TokenEncoding(tokenizer, encoder.config)


def outputs_of(forward: Forward, encoding: TokenEncoding, rows: Table) -> npt.NDArray[np.float32]:
    """`forward` over all rows in full precision on the CPU, (rows, width)."""
    tokens = tokenise(encoding, rows)
    device = torch.device("cpu")
    limit = MemoryLimit("fitted", device, "inference")
    return run_rows(forward, tokens, np.arange(len(rows)), encoding.pad_id, device, limit)


def program_of(graph: Any, encoder: EncoderSpec, outputs: int, config: dict[str, Any]) -> Program:
    """One part, ids and mask to logits, both axes free."""
    encoding = open_encoding(encoder)
    rows = Table({field: ["an example", "a second example that is longer"] for field in encoder.config["fields"]})
    example = encoding.encode(rows, pad_to=8).arrays
    part = Part("model", graph, encoding.inputs, (Tensor("logits", "float32", ("batch", outputs)),), example)
    return Program((part,), encoder, config)
