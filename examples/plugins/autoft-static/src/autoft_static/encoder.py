"""Tokens and their shares of a text, as model2vec counts them: no special tokens, and none that the vocabulary has not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Encoded, Tensor


class StaticEncoding:
    """`ids` int64 and `shares` float32, both (batch, length): 1 over the number of tokens for each of a text, 0 for what fills it up.

    As model2vec does, a text is cut to `characters` before it is read and to `max_length` tokens after; unknown ones go last.
    """

    inputs = (Tensor("ids", "int64", ("batch", "length")), Tensor("shares", "float32", ("batch", "length")))

    def __init__(self, tokenizer: Tokenizer, unknown: int | None, max_length: int, characters: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self._unknown, self._most, self._characters = tokenizer, unknown, max_length, characters
        self.max_length: int | None = max_length

    def encode(self, rows: Table, *, pad_to: int | None = None, offsets: bool = False) -> Encoded:
        texts = [str(text or "") for text in rows["text"]]
        found = self._tokenizer.encode_batch_fast([text[: self._characters] for text in texts], add_special_tokens=False)
        known = [[token for token in one.ids[: self._most] if token != self._unknown] for one in found]
        lengths = np.array([len(one) for one in known], np.int64)
        width = max(1, int(lengths.max(initial=1)), min(pad_to or 1, self._most))
        ids, shares = np.zeros((len(known), width), np.int64), np.zeros((len(known), width), np.float32)
        for row, one in enumerate(known):
            ids[row, : len(one)] = one
            shares[row, : len(one)] = 1 / max(1, len(one))
        unknown = np.array([min(len(one.ids), self._most) - len(left) for one, left in zip(found, known, strict=True)], np.int64)
        cut = [len(text) > self._characters or len(one.ids) > self._most for text, one in zip(texts, found, strict=True)]
        return Encoded({"ids": ids, "shares": shares}, lengths, np.array(cut, np.bool_), unknown)

    def resized(self, rows: Table, length: int) -> Table:
        """Words again, or fewer: about as many tokens as are asked for."""
        texts = []
        for text in rows["text"]:
            words = str(text or "").split() or ["a"]
            texts.append(" ".join((words * (1 + length // len(words)))[:length]))
        return rows.with_columns({**rows.columns, "text": texts})


class StaticTokens:
    """The plugin."""

    name = "static-tokens"
    summary = "the tokens of a text and their shares of it"

    def open(self, folder: Path, config: Mapping[str, Any]) -> StaticEncoding:
        """Raises BundleError where the tokenizer is absent or damaged."""
        try:
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except Exception as error:
            raise BundleError(f"{folder} has no tokenizer.json that can be read: {error}", hint="copy the whole folder again") from error
        longest = int(config.get("max_length", 512))
        return StaticEncoding(tokenizer, config.get("unknown"), longest, int(config.get("characters", 16 * longest)))
