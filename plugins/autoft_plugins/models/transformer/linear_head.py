"""A linear head on pooled features: fitted by scikit-learn, run by torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec, Encoding
from autoft.interfaces.model import FitData, Program, TrialSpec, Trimmed
from autoft_plugins.encoders.token_pairs import TokenPairEncoding, alone, one_by_one
from autoft_plugins.encoders.tokens import TokenEncoding
from autoft_plugins.models.linear.rows import LEARNERS
from autoft_plugins.models.transformer.bodies import Body, StoredBody, TrainedBody
from autoft_plugins.models.transformer.encoding import load_encoder, save_encoder
from autoft_plugins.models.transformer.features import features_in, mean_pooled, related, scaling
from autoft_plugins.models.transformer.fitted import PRIVATE, open_encoding, program_of
from autoft_plugins.models.transformer.inference import on_processor
from autoft_plugins.models.transformer.tokenization import tokenise
from autoft_plugins.models.transformer.trimming import trim

HEAD_FILE = "head/model.safetensors"
ANSWERS_FILE = "answers.json"

_TOLERANCE = 1e-4

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LinearHead:
    """`weight` (outputs, width), `bias` (outputs,); the scaling of the features is folded in, and so is that of the targets. With `unit`
    the features of a row are first brought to length 1."""

    weight: Floats
    bias: Floats
    unit: bool = False

    def logits(self, features: Floats) -> Floats:
        """(rows, width) to (rows, outputs)."""
        found = _of_length_one(features) if self.unit else features
        return (found @ self.weight.T + self.bias).astype(np.float32)


def _of_length_one(features: Floats) -> Floats:
    made: Floats = functional.normalize(torch.from_numpy(features), dim=-1).numpy()
    return made


def fit_head(features: Floats, data: FitData, spec: TrialSpec, *, unit: bool = False) -> LinearHead:
    """Logistic or ridge regression on the `features` of the training rows, in their order: each standardised or, with `unit`, all of a row
    brought to one length, that of standardised ones.

    Raises TrialError when the training rows hold nothing to tell apart.
    """
    train = np.asarray(_of_length_one(features) if unit else features, dtype=np.float64)
    width = train.shape[1]
    mean, scale = (np.zeros(width), np.full(width, width**-0.5)) if unit else scaling(train, len(data.problem.inputs))
    weights = None if data.weights is None else data.weights[data.train]
    head, chosen = data.problem.head, dict(spec.hyperparameters)
    chosen["class_weight"] = "balanced" if chosen.pop("balance", "none") == "weights" else "none"
    learned = LEARNERS[head.kind]((train - mean) / scale, data.targets[data.train], weights, chosen, head.outputs, tolerance=_TOLERANCE)
    raw = learned.on_raw(mean, scale)
    return LinearHead(np.ascontiguousarray(raw.weight.T), raw.bias, unit)


class PooledClassifier(nn.Module):
    """A body, the mean over a text's tokens, how two texts differ, a linear layer; forward gives {"logits": (rows, outputs)}."""

    def __init__(self, model: Any, head: LinearHead) -> None:
        super().__init__()
        self.body = model
        self.unit = head.unit
        self.head = nn.Linear(head.weight.shape[1], len(head.bias))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> dict[str, Tensor]:
        """All inputs int64, (rows, length), or of two texts (rows, 2, length)."""
        texts = input_ids.shape[1] if input_ids.dim() == 3 else 1
        ids, mask = input_ids.flatten(0, -2), attention_mask.flatten(0, -2)
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids.flatten(0, -2)}
        vectors = mean_pooled(self.body(input_ids=ids, attention_mask=mask, **types).last_hidden_state, mask)
        features = related(vectors.reshape(-1, texts, vectors.shape[1]))
        return {"logits": self.head(functional.normalize(features, dim=-1) if self.unit else features)}


class FittedHead:
    """A body with a head of a kind."""

    def __init__(self, body: Body, head: LinearHead, encoder: EncoderSpec, kind: str, labels: tuple[str, ...]) -> None:
        self._body, self.head, self.encoder, self._kind, self._labels = body, head, encoder, kind, labels

    @cached_property
    def model(self) -> PooledClassifier:
        """The body with the head, in evaluation mode."""
        return PooledClassifier(self._body.model, self.head).eval()

    def outputs(self, rows: Table) -> Arrays:
        """`logits`, float32, (rows, outputs)."""
        if not len(rows):
            return {"logits": np.zeros((0, len(self.head.bias)), np.float32)}
        fields = self.encoder.config["fields"]
        tokens = tokenise(self._texts, one_by_one(rows, fields))
        return {"logits": self.head.logits(features_in(tokens, np.arange(len(rows)), len(fields), self.model.body, on_processor()))}

    @cached_property
    def _texts(self) -> TokenEncoding:
        """Of each text on its own."""
        return open_encoding(replace(self.encoder, config=alone(self.encoder.config)))

    def extra(self) -> Arrays:
        return {}

    def rescaled(self, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> FittedHead:
        """See `autoft.interfaces.model.Rescales`."""
        weight, bias = self.head.weight * scale[:, None], self.head.bias * scale + shift
        head = LinearHead(weight.astype(np.float32), bias.astype(np.float32), self.head.unit)
        return FittedHead(self._body, head, self.encoder, self._kind, self._labels)

    def save(self, folder: Path) -> None:
        """The body's own files, the tokenizer's, and the head beside them."""
        self._body.save(folder)
        (folder / HEAD_FILE).parent.mkdir()
        save_file({"weight": np.ascontiguousarray(self.head.weight), "bias": self.head.bias}, folder / HEAD_FILE)
        answers = {"kind": self._kind, "labels": self._labels, "unit": self.head.unit}
        (folder / ANSWERS_FILE).write_text(json.dumps(answers, ensure_ascii=False) + "\n", encoding="utf-8")
        save_encoder(self.encoder, folder)

    def program(self) -> Program:
        fields = self.encoder.config["fields"]
        encoding: Encoding = self._texts if len(fields) == 1 else TokenPairEncoding(self._texts, fields)
        return program_of(self.model, self.encoder, encoding, len(self.head.bias), self._config())

    def trimmed(self, rows: Table, share: float) -> Trimmed:
        """See `autoft.interfaces.model.TrimsVocabulary`."""
        tokens = tokenise(self._texts, one_by_one(rows, self.encoder.config["fields"]))
        small = trim(self._body.model, self.encoder, np.unique(tokens.ids), share)
        return Trimmed(FittedHead(TrainedBody(small.model), self.head, small.encoder, self._kind, self._labels), small.kept, small.of)

    def _config(self) -> dict[str, Any]:
        config = {name: value for name, value in self._body.config().items() if name not in (*PRIVATE, "_num_labels")}
        labels = self._labels or tuple(f"LABEL_{i}" for i in range(len(self.head.bias)))
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
        return config | {"problem_type": self._kind, "architectures": [PooledClassifier.__name__]}


def load_head(folder: Path) -> FittedHead:
    """What `FittedHead.save` wrote."""
    tensors = load_file(folder / HEAD_FILE)
    answers = json.loads((folder / ANSWERS_FILE).read_text(encoding="utf-8"))
    head = LinearHead(tensors["weight"], tensors["bias"], answers.get("unit", False))  # folders that 0.1 wrote lack it
    return FittedHead(StoredBody(folder), head, load_encoder(folder), answers["kind"], tuple(answers["labels"]))
