"""Texts for models that answer with a text: tokens in, generated ids back into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, Encoded, Encoding
from autoft_plugins.encoders.tokens import TOKENIZER_FILE, TokenEncoding, open_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TextToTextEncoder:
    """Opens a `TextToTextEncoding` from a folder with tokenizer.json.

    Config: that of `tokens`, and `end_ids`, the token ids that end a generated text.
    """

    name = "text-to-text"
    summary = "sub-word tokens in, generated tokens back into a text"

    def open(self, folder: Path, config: Mapping[str, Any]) -> Encoding:
        return TextToTextEncoding(open_tokenizer(folder / TOKENIZER_FILE, int(config["max_length"])), config)


class TextToTextEncoding(TokenEncoding):
    """As `TokenEncoding`; the `sequences` of a graph, generated ids (rows, length), become the output `text`, (rows,) strings."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
        super().__init__(tokenizer, config)
        self._end_ids = [int(end) for end in config["end_ids"]]

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        return replace(super().encode(rows, pad_to=pad_to, offsets=offsets), collect=self.collect)

    def collect(self, outputs: Arrays) -> Arrays:
        """The graph's outputs, and `text`."""
        return {**outputs, "text": self.texts(outputs["sequences"])}

    def texts(self, sequences: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        """What was written before the first end, special tokens left out; (rows,) strings, as objects."""
        ended = np.isin(sequences, self._end_ids)
        lengths = np.where(ended.any(axis=1), ended.argmax(axis=1), sequences.shape[1]) if sequences.size else np.zeros(len(sequences), int)
        ids = [row[:length].tolist() for row, length in zip(sequences, lengths, strict=True)]
        return np.array([text.strip() for text in self._tokenizer.decode_batch(ids, skip_special_tokens=True)], dtype=object)
