"""Fine-tuned encoder-decoders after training."""

from __future__ import annotations

import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Part, Program
from autoft_plugins.encoders.text_to_text import TextToTextEncoding
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, set_length
from autoft_plugins.models.transformer.fitted import config_of
from autoft_plugins.models.transformer.generation import ROWS_AT_ONCE, Generation, greedy
from autoft_plugins.models.transformer.inference import on_processor
from autoft_plugins.models.transformer.objectives import SEQ2SEQ
from autoft_plugins.models.transformer.objectives.base import save_model
from autoft_plugins.models.transformer.tokenization import tokenise


class FittedSeq2Seq:
    """A transformers encoder-decoder with its encoder of texts."""

    def __init__(self, model: Any, encoder: EncoderSpec) -> None:
        self.model = model.eval()
        self.encoder = encoder

    def outputs(self, rows: Table) -> Arrays:
        """`text` (rows,), and `sequences`, `scores` and `runner_up` (rows, tokens), by greedy decoding."""
        tokens, settings = tokenise(self._encoding, rows), Generation.of_encoder(self.encoder)
        made = on_processor()(lambda inputs: greedy(self.model, inputs, settings), tokens.inputs, tokens.lengths, least=ROWS_AT_ONCE)
        return self._encoding.collect(made or nothing())

    @cached_property
    def _encoding(self) -> TextToTextEncoding:
        return open_text_to_text(self.encoder)

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        save_model(self.model, self.encoder, SEQ2SEQ, folder)

    def program(self) -> Program:
        """Two graphs under transformers.js's names; all of batch, length and what is written so far are free."""
        length, width = ("batch", "length"), int(self.model.config.hidden_size)
        words = int(self.model.get_output_embeddings().weight.shape[0])
        rows = Table({"text": ["an example", "a second example that is longer"]})
        example = self._encoding.encode(rows, pad_to=8).arrays
        states = np.random.default_rng(0).normal(size=(*example["input_ids"].shape, width)).astype(np.float32)
        hidden = Tensor("last_hidden_state", "float32", (*length, width))
        encoder = Part("encoder_model", EncoderGraph(self.model).eval(), self._encoding.inputs, (hidden,), example)
        inputs = (
            Tensor("input_ids", "int64", ("batch", "decoder_length")),
            Tensor("encoder_attention_mask", "int64", length),
            Tensor("encoder_hidden_states", "float32", (*length, width)),
        )
        written = {
            "input_ids": example["input_ids"][:, :5],
            "encoder_attention_mask": example["attention_mask"],
            "encoder_hidden_states": states,
        }
        logits = Tensor("logits", "float32", ("batch", 1, words))
        decoder = Part("decoder_model", DecoderGraph(self.model).eval(), inputs, (logits,), written)
        return Program((encoder, decoder), self.encoder, config_of(self.model))


class EncoderGraph(nn.Module):
    """The encoder of a model."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.get_encoder()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"last_hidden_state": self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state}


class DecoderGraph(nn.Module):
    """The rest of it, without a cache: all that was written goes in again, and `logits` are those of the token that comes next alone:
    the table of the output is often as large as the decoder."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = _with_last_place(model)

    def forward(
        self, input_ids: torch.Tensor, encoder_attention_mask: torch.Tensor, encoder_hidden_states: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        states, mask = (encoder_hidden_states,), encoder_attention_mask
        return {"logits": self.model(encoder_outputs=states, attention_mask=mask, decoder_input_ids=input_ids, use_cache=False).logits}


class _LastPlace(nn.Module):
    """A head that sees the last place of each row alone."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(states[:, -1:])
        return logits


def _with_last_place(model: Any) -> Any:
    """A model with the same weights, whose logits are of the last place; `model` stays as it is."""
    other = copy.copy(model)
    other._modules = dict(model._modules)
    other.set_output_embeddings(_LastPlace(model.get_output_embeddings()))
    return other


def open_text_to_text(encoder: EncoderSpec) -> TextToTextEncoding:
    """The encoding of a spec, from its files in memory."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(encoder.files[TOKENIZER_FILE].decode("utf-8"))
    set_length(tokenizer, int(encoder.config["max_length"]))
    return TextToTextEncoding(tokenizer, encoder.config)


def nothing() -> Arrays:
    """What is generated for no rows."""
    none = np.zeros((0, 0), np.float32)
    return {"sequences": np.zeros((0, 0), np.int64), "scores": none, "runner_up": none}
