"""A linear head on pooled features: fitted by scikit-learn, run by torch."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays, EncoderSpec
from autoft.interfaces.model import FitData, Program, TrialSpec
from autoft.interfaces.source import Source
from autoft.sources.cache import weight_files
from autoft_plugins.encoders.tokens import TokenEncoding
from autoft_plugins.models.transformer.batches import balanced_weights
from autoft_plugins.models.transformer.encoding import load_encoder, save_encoder
from autoft_plugins.models.transformer.features import mean_pooled
from autoft_plugins.models.transformer.fitted import PRIVATE, open_encoding, outputs_of, program_of
from autoft_plugins.models.transformer.loading import body

HEAD_FILE = "head/model.safetensors"
LABELS_FILE = "labels.json"
_ABSENT = -30.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LinearHead:
    """`weight` (classes, width), `bias` (classes,); the scaling of the features is folded in."""

    weight: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """(rows, width) to (rows, classes)."""
        return (features @ self.weight.T + self.bias).astype(np.float32)


def fit_head(features: Floats, data: FitData, spec: TrialSpec) -> LinearHead:
    """Logistic regression on standardised features. Raises TrialError when the training rows hold one class only."""
    from sklearn.linear_model import LogisticRegression

    train = np.asarray(features[data.train], dtype=np.float64)
    codes = data.targets[data.train].astype(np.int64)
    classes = data.problem.head.outputs
    if len(np.unique(codes)) < 2:
        raise TrialError("the training rows hold one class only")
    weights = np.ones(len(codes)) if data.weights is None else np.asarray(data.weights[data.train], dtype=np.float64)
    if spec.hyperparameters.get("balance", "none") == "weights":
        weights = weights * balanced_weights(codes, classes)[codes]
    mean, scale = train.mean(0), train.std(0) + 1e-6
    learner = LogisticRegression(C=float(spec.hyperparameters["C"]), max_iter=300)
    learner.fit((train - mean) / scale, codes, sample_weight=weights)
    coefficients, intercept = learner.coef_, learner.intercept_
    if len(coefficients) == 1:
        # The binary form gives one row: half of it for each class leaves the softmax as it is.
        coefficients, intercept = np.concatenate([-coefficients, coefficients]) / 2, np.concatenate([-intercept, intercept]) / 2
    weight, bias = np.zeros((classes, train.shape[1])), np.full(classes, _ABSENT)
    weight[learner.classes_] = coefficients / scale
    bias[learner.classes_] = intercept - (coefficients / scale) @ mean
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


class PooledClassifier(nn.Module):
    """A body, the mean over its tokens, a linear layer; forward gives {"logits": (rows, classes)}."""

    def __init__(self, model: Any, head: LinearHead) -> None:
        super().__init__()
        self.body = model
        self.head = nn.Linear(head.weight.shape[1], len(head.bias))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> dict[str, Tensor]:
        """All inputs int64, (rows, length)."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        return {"logits": self.head(mean_pooled(hidden, attention_mask))}


class FittedHead:
    """A source's folder with a head; the body is loaded only when it is asked for answers."""

    def __init__(self, folder: Path, head: LinearHead, encoder: EncoderSpec, labels: tuple[str, ...]) -> None:
        self._folder, self.head, self.encoder, self._labels = folder, head, encoder, labels

    @cached_property
    def model(self) -> PooledClassifier:
        """The body with the head, in evaluation mode."""
        source = Source(self._folder.name, self._folder.resolve(), _stamp(self._folder))
        return PooledClassifier(body(source), self.head).eval()

    def outputs(self, rows: Table) -> Arrays:
        """`logits`, float32, (rows, classes)."""
        return {"logits": outputs_of(lambda ids, mask: self.model(ids, mask)["logits"], self._encoding, rows)}

    @cached_property
    def _encoding(self) -> TokenEncoding:
        return open_encoding(self.encoder)

    def extra(self) -> Arrays:
        return {}

    def save(self, folder: Path) -> None:
        """The body's own files as they are, the tokenizer's, and the head beside them."""
        for path in self._body_files():
            shutil.copy(path, folder / path.name)
        (folder / HEAD_FILE).parent.mkdir()
        save_file({"weight": np.ascontiguousarray(self.head.weight), "bias": self.head.bias}, folder / HEAD_FILE)
        (folder / LABELS_FILE).write_text(json.dumps(self._labels, ensure_ascii=False) + "\n", encoding="utf-8")
        save_encoder(self.encoder, folder)

    def program(self) -> Program:
        return program_of(self.model, self.encoder, len(self.head.bias), self._config())

    def _body_files(self) -> list[Path]:
        weights = weight_files(self._folder)
        index = self._folder / "model.safetensors.index.json"
        return [self._folder / "config.json", *weights, *([index] if len(weights) > 1 and index.is_file() else [])]

    def _config(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        config = {name: value for name, value in whole.items() if name not in (*PRIVATE, "_num_labels")}
        config["id2label"] = {str(i): label for i, label in enumerate(self._labels)}
        config["label2id"] = {label: i for i, label in enumerate(self._labels)}
        return config | {"problem_type": "single_label_classification", "architectures": [PooledClassifier.__name__]}


def _stamp(folder: Path) -> str:
    """Tells the weights of a folder from others that stood there before, without reading them."""
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in weight_files(folder)]
    return f"{folder.resolve()}:{facts}"


def load_head(folder: Path) -> FittedHead:
    """What `FittedHead.save` wrote."""
    tensors = load_file(folder / HEAD_FILE)
    labels = tuple(json.loads((folder / LABELS_FILE).read_text(encoding="utf-8")))
    return FittedHead(folder, LinearHead(tensors["weight"], tensors["bias"]), load_encoder(folder), labels)
