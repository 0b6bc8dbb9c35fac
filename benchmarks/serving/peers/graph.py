"""What the peers serve: the bundle's tokenizer and graph, one thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


class Graph:
    def __init__(self, folder: str, graph: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self._tokenizer.no_padding()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(Path(folder) / graph), options, providers=["CPUExecutionProvider"])
        self._inputs = [one.name for one in self._session.get_inputs()]

    def answer(self, text: str) -> dict[str, float]:
        """Probabilities by the number of the class."""
        tokens = self._tokenizer.encode(text)
        given = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        logits = self._session.run(None, {name: np.array([given[name]], np.int64) for name in self._inputs})[0][0]
        powers = np.exp(logits - logits.max())
        return {str(place): float(value) for place, value in enumerate(powers / powers.sum())}
