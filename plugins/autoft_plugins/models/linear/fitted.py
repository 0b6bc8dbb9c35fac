"""A linear model that has learned: its encoding, its weights, its answers, its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays, EncoderSpec, Tensor
from autoft.interfaces.model import Part, Program
from autoft_plugins.encoders.sparse import VOCABULARY_FILE, SparseEncoding
from autoft_plugins.models.linear.features import matrix_of, open_encoding
from autoft_plugins.models.linear.graph import graph_of

CONFIG_FILE = "config.json"
ENCODER_FILE = "encoder.json"
WEIGHTS_FILE = "weights.safetensors"

_BLOCK = 256


class LinearFitted:
    """`weight` (size of the encoding, outputs) float32; `bias` (outputs,); `kind` that of the problem's head."""

    def __init__(
        self,
        encoding: SparseEncoding,
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        labels: tuple[str, ...],
        kind: str,
    ) -> None:
        self.encoding, self.weight, self.bias, self.labels, self.kind = encoding, weight, bias, labels, kind

    def outputs(self, rows: Table) -> Arrays:
        """`logits` (n, outputs), of words (n, words, outputs); summed in double precision."""
        weight, blocks = self.weight.astype(np.float64), [np.empty((0, len(self.bias)), dtype=np.float32)]
        for begin in range(0, len(rows), _BLOCK):
            block = matrix_of(self.encoding, rows.take(range(begin, min(begin + _BLOCK, len(rows)))))
            blocks.append((block @ weight + self.bias).astype(np.float32))
        found: Arrays = {"logits": np.concatenate(blocks)}
        collect = self.encoding.collector(rows)
        return collect(found) if collect else found

    def extra(self) -> Arrays:
        """Nothing."""
        return {}

    def rescaled(self, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> LinearFitted:
        """See `autoft.interfaces.model.Rescales`."""
        weight, bias = self.weight * scale, self.bias * scale + shift
        return LinearFitted(self.encoding, weight.astype(np.float32), bias.astype(np.float32), self.labels, self.kind)

    def save(self, folder: Path) -> None:
        """config.json, encoder.json, vocabulary.json and weights.safetensors."""
        from safetensors.numpy import save_file

        (folder / CONFIG_FILE).write_text(json.dumps(self._config(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        encoder = {"name": self.encoding.name, "config": self.encoding.config}
        (folder / ENCODER_FILE).write_text(json.dumps(encoder) + "\n", encoding="utf-8")
        (folder / VOCABULARY_FILE).write_bytes(self.encoding.vocabulary_json())
        save_file({"weight": self.weight, "bias": self.bias}, folder / WEIGHTS_FILE)

    def program(self) -> Program:
        """One graph: rows of `weight` gathered by id, weighted by value, summed."""
        example: Arrays = {"ids": np.array([[1, 0], [1, 0]], dtype=np.int64), "values": np.array([[1, 0], [0.5, 0]], dtype=np.float32)}
        outputs = (Tensor("logits", "float32", ("batch", len(self.bias))),)
        part = Part("model", graph_of(self.weight, self.bias), self.encoding.inputs, outputs, example)
        files = {VOCABULARY_FILE: self.encoding.vocabulary_json()}
        return Program((part,), EncoderSpec(self.encoding.name, self.encoding.config, files), self._config())

    def _config(self) -> dict[str, Any]:
        names = self.labels or tuple(f"LABEL_{k}" for k in range(len(self.bias)))
        return {
            "model_type": "autoft-linear",
            "architectures": ["AutoftLinear"],
            "id2label": {str(k): name for k, name in enumerate(names)},
            "label2id": {name: k for k, name in enumerate(names)},
            "problem_type": self.kind,
        }


def load_linear(folder: Path) -> LinearFitted:
    """What `LinearFitted.save` wrote. Raises BundleError when a file is missing or damaged."""
    from safetensors.numpy import load_file

    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        encoder = json.loads((folder / ENCODER_FILE).read_text(encoding="utf-8"))
        encoding = open_encoding(encoder["name"], folder, encoder["config"])
        arrays = load_file(folder / WEIGHTS_FILE)
        names = tuple(name for _, name in sorted(config["id2label"].items(), key=lambda item: int(item[0])))
        kind = str(config["problem_type"])
        fitted = LinearFitted(encoding, arrays["weight"], arrays["bias"], () if kind == "regression" else names, kind)
    except Exception as error:
        raise BundleError(f"{folder} holds no linear model that can be read: {error}", hint="run the trial again") from error
    if fitted.weight.shape != (encoding.size, len(fitted.bias)):
        raise BundleError(f"{folder}: {encoding.size - 1} terms, but weights of shape {fitted.weight.shape}")
    return fitted
