"""A tag a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional

from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.crf import Crf
from autoft_plugins.models.transformer.encoding import encoder_spec, token_config
from autoft_plugins.models.transformer.fitted_words import FittedTagger, load_tagger, save_tagger, word_scores
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.objectives.base import Objective, Units
from autoft_plugins.models.transformer.objectives.last_layer import start_at
from autoft_plugins.models.transformer.objectives.teaching import Teaching
from autoft_plugins.models.transformer.windows import Ints, WindowedRows, cached_windows
from autoft_plugins.tasks.entities import TAGS

_NONE = -100


class WordTags(Objective):
    """Cross-entropy at the first token of each word, or with the hyperparameter `crf` the likelihood of the tags of all words of a window
    together. Units are windows; a word is learned in the one in which it will be read."""

    kind = TAGS
    auto_class = "AutoModelForTokenClassification"

    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None:
        self._data = data
        shape = anatomy(source)
        config = token_config(source, shape.max_length(data.problem.max_length), data.problem.inputs)
        self.encoder = encoder_spec(source, config, "words")
        self._windows = cached_windows(source, data.rows, config, data.cache)
        self.lengths = self._windows.tokens.lengths
        self.flops = shape.forward_flops(self.lengths)
        self._tags = learnable_tags(self._windows, data.targets)
        weights = np.ones(len(data.rows)) if data.weights is None else np.asarray(data.weights, np.float64)
        self.weights = (weights[self._windows.owners] * self._windows.word_counts).astype(np.float32)
        self.own: Crf | None = Crf(data.problem.head.outputs) if spec.hyperparameters.get("crf", False) else None
        self.teaching = Teaching.of(spec, data)
        if self.own is not None and self.teaching is not None:
            raise TrialError("a CRF learns from tags only and cannot follow a teacher", hint="crf=False")

    def prepare(self, model: Any) -> None:
        tags = self._data.targets[self._data.train]
        counts = np.bincount(tags[tags >= 0], minlength=self._data.problem.head.outputs) + 0.5
        start_at(model, np.log(counts / counts.sum()))

    def epoch(self, generator: np.random.Generator) -> Units:  # noqa: ARG002
        """The windows of the training rows in which a word is read."""
        windows = self._windows.of_rows(self._data.train)
        return windows[self._windows.word_counts[windows] > 0]

    def used_ids(self) -> Units:
        rows = np.concatenate([self._data.train, self._data.validation])
        return self._windows.tokens.used(self._windows.of_rows(rows))

    def inputs(self, units: Units) -> Arrays:
        return self._windows.inputs(units)

    def targets(self, units: Units) -> Arrays:
        """`tags` (windows, most words); whether the window `opens` and `closes` its text, (windows,)."""
        owners = self._windows.owners
        neighbours = np.concatenate([[-1], owners, [-1]])
        edges = {"opens": neighbours[units] != owners[units], "closes": neighbours[units + 2] != owners[units]}
        tags = self._windows.by_window(self._tags, units, _NONE)
        return {"tags": tags, **{name: edge.astype(np.float32) for name, edge in edges.items()}}

    def lesson(self, teaching: Teaching, units: Units) -> npt.NDArray[np.float32]:
        """(windows, most words, tags), zeros behind the last word."""
        logits, places = teaching.logits, self._windows.places
        # A word beyond the axis is of a row that the teacher was not asked about: all of that row is nan.
        words = np.minimum(places.words, logits.shape[1] - 1)
        return self._windows.by_window(logits[places.rows, words], units, 0.0).astype(np.float32)

    def forward(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        return word_scores(model, inputs)

    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        tags = targets["tags"]
        mask = tags != _NONE
        if self.own is None:
            losses = functional.cross_entropy(logits.transpose(1, 2), tags, ignore_index=_NONE, reduction="none").sum(1)
        else:
            losses = self.own(logits, tags, mask, targets["opens"], targets["closes"])
        return losses / mask.sum(1).clamp_min(1)

    def imitation(self, teaching: Teaching, logits: Tensor, lesson: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The mean over the words of a window."""
        mask = targets["tags"] != _NONE
        losses = teaching.classes(logits, lesson)
        return losses.where(mask, 0.0).sum(1) / mask.sum(1).clamp_min(1)

    def outputs(self, model: Any, run: Runner, rows: Units) -> Arrays | None:
        tags = self._data.problem.head.outputs
        return self._windows.outputs(lambda inputs: self.forward(model, inputs), run, rows, tags)

    def extra(self) -> Arrays:
        return {} if self.own is None else self.own.arrays()

    def save(self, model: Any, folder: Path) -> None:
        save_tagger(model, self.encoder, self.extra(), folder)

    def fitted(self, model: Any) -> FittedTagger:
        return FittedTagger(model, self.encoder, self.extra())

    @classmethod
    def load(cls, folder: Path) -> FittedTagger:
        return load_tagger(folder)


def learnable_tags(windows: WindowedRows, targets: Ints) -> Ints:
    """The tag of each word that has a token, (k,). A word without one is answered with O, so that what goes on behind it begins there."""
    rows, words = windows.places.rows, windows.places.words
    tags = np.asarray(targets)[rows, words].astype(np.int64)
    before = np.concatenate([[-1], rows[:-1]]) == rows
    behind_another = before & (np.concatenate([[-1], words[:-1]]) == words - 1)
    goes_on = (tags > 0) & (tags % 2 == 0)
    return np.where(goes_on & ~behind_another, tags - 1, tags)
