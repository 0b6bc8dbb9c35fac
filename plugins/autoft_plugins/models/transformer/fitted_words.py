"""Fine-tuned taggers of words after training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from torch import Tensor

from autoft.data.table import Table
from autoft.interfaces.encoder import Arrays, EncoderSpec
from autoft.interfaces.encoder import Tensor as Axes
from autoft.interfaces.model import Part, Program, Trimmed
from autoft_plugins.encoders.words import WordEncoding
from autoft_plugins.models.transformer.encoding import load_encoder
from autoft_plugins.models.transformer.fitted import config_of, tokenizer_of
from autoft_plugins.models.transformer.inference import on_processor
from autoft_plugins.models.transformer.loading import reload
from autoft_plugins.models.transformer.objectives.base import save_model
from autoft_plugins.models.transformer.trimming import trim
from autoft_plugins.models.transformer.windows import windowed
from autoft_plugins.tasks.entities import TAGS

CRF_FILE = "crf.safetensors"


def word_scores(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """The logits of each word at its first token: (windows, most words, tags)."""
    places = inputs["places"]
    logits: Tensor = model(**{name: value for name, value in inputs.items() if name != "places"}).logits
    return logits.gather(1, places[:, :, None].expand(-1, -1, logits.shape[2]))


class FittedTagger:
    """A transformers token classifier, its encoder, and the transitions of its CRF, if it has one."""

    def __init__(self, model: Any, encoder: EncoderSpec, transitions: Arrays) -> None:
        self.model = model.eval()
        self.encoder = encoder
        self._transitions = transitions

    def outputs(self, rows: Table) -> Arrays:
        """`logits`, float32, (rows, most words, tags), zeros behind the last word of a row."""
        found = windowed(self._encoding, rows)
        tags = int(self.model.config.num_labels)
        return found.outputs(lambda inputs: word_scores(self.model, inputs), on_processor(), np.arange(len(rows)), tags) or {}

    @cached_property
    def _encoding(self) -> WordEncoding:
        return WordEncoding(tokenizer_of(self.encoder), self.encoder.config)

    def extra(self) -> Arrays:
        return self._transitions

    def save(self, folder: Path) -> None:
        save_tagger(self.model, self.encoder, self._transitions, folder)

    def program(self) -> Program:
        """One part, ids and mask to the logits of each token, both axes free."""
        rows = Table({"text": ["an example", "a second example that is longer"], "words": [((0, 2),), ((0, 1),)]})
        example = self._encoding.encode(rows, pad_to=8).arrays
        logits = Axes("logits", "float32", ("batch", "length", int(self.model.config.num_labels)))
        return Program((Part("model", self.model, self._encoding.inputs, (logits,), example),), self.encoder, config_of(self.model))

    def trimmed(self, rows: Table, share: float) -> Trimmed:
        """See `autoft.interfaces.model.TrimsVocabulary`."""
        small = trim(self.model, self.encoder, np.unique(windowed(self._encoding, rows).tokens.ids), share)
        return Trimmed(FittedTagger(small.model, small.encoder, self._transitions), small.kept, small.of)


def save_tagger(model: Any, encoder: EncoderSpec, transitions: Arrays, folder: Path) -> None:
    """In the library's own layout; the transitions of a CRF in a file of their own."""
    save_model(model, encoder, TAGS, folder)
    if transitions:
        save_file(transitions, folder / CRF_FILE)


def load_tagger(folder: Path) -> FittedTagger:
    """What `save_tagger` wrote."""
    path = folder / CRF_FILE
    transitions = load_file(path) if path.is_file() else {}
    return FittedTagger(reload(folder, "AutoModelForTokenClassification"), load_encoder(folder), transitions)
