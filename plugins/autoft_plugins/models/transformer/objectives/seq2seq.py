"""A text a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from autoft.data.table import Table
from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import FitData, TrialSpec
from autoft.interfaces.problem import Problem
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.anatomy import anatomy
from autoft_plugins.models.transformer.encoding import GENERATION_FILE, encoder_spec, load_encoder, token_config
from autoft_plugins.models.transformer.fitted_seq2seq import FittedSeq2Seq, nothing, open_text_to_text
from autoft_plugins.models.transformer.generation import ROWS_AT_ONCE, Generation, greedy
from autoft_plugins.models.transformer.inference import Runner
from autoft_plugins.models.transformer.loading import reload
from autoft_plugins.models.transformer.objectives import SEQ2SEQ
from autoft_plugins.models.transformer.objectives.base import Objective, Units
from autoft_plugins.models.transformer.tokenization import TokenisedRows, tokenised
from autoft_plugins.models.transformer.writing import Writing

_ROOM = 1.5
"""Tokens that an answer may have, to those of the longest one that was learned from."""
_IGNORED = -100


class Seq2Seq(Objective):
    """Cross-entropy of each token of the target given those before it, the mean over all tokens of a batch. Units are rows."""

    kind = SEQ2SEQ
    auto_class = "AutoModelForSeq2SeqLM"

    def __init__(self, source: Source, spec: TrialSpec, data: FitData) -> None:  # noqa: ARG002
        self._data = data
        shape, cap = anatomy(source), data.problem.extra.get("target_length")
        config = token_config(source, shape.max_length(data.problem.max_length), data.problem.inputs)
        wanted = token_config(source, shape.max_length(cap if isinstance(cap, int) else None), ("label",))
        self._texts = tokenised(source, data.rows, config, data.cache)
        self._written = tokenised(source, Table({"label": data.targets.tolist()}), wanted, data.cache)
        longest = int(self._written.lengths[data.train].max(initial=1))
        settings = Generation.of_source(source, min(int(wanted["max_length"]), round(_ROOM * longest) + 1))
        _check_ends(self._written, settings, source)
        spec_of = encoder_spec(source, {**config, "end_ids": list(settings.ends)}, "text-to-text")
        self.encoder = replace(spec_of, files={**spec_of.files, GENERATION_FILE: settings.content()})
        self._settings, self._encoding = settings, open_text_to_text(self.encoder)
        self.lengths = self._texts.lengths + self._written.lengths
        self.flops = Writing.of(shape, data.problem).forward_flops(self._texts.lengths, self._written.lengths)
        weights = np.ones(len(data.rows)) if data.weights is None else np.asarray(data.weights, dtype=np.float64)
        self.weights = (weights * self._written.lengths).astype(np.float32)

    @classmethod
    def facts(cls, problem: Problem) -> dict[str, Any]:  # noqa: ARG003
        return {}

    def epoch(self, generator: np.random.Generator) -> Units:  # noqa: ARG002
        return self._data.train

    def used_ids(self) -> None:
        return None

    def inputs(self, units: Units) -> Arrays:
        """`decoder_input_ids` are the target one place later, behind the start."""
        written = self._written.inputs(units)["input_ids"]
        first = np.full((len(units), 1), self._settings.start, np.int64)
        return {**self._texts.inputs(units), "decoder_input_ids": np.hstack([first, written[:, :-1]])}

    def targets(self, units: Units) -> Arrays:
        written = self._written.inputs(units)
        return {"tokens": np.where(written["attention_mask"], written["input_ids"], _IGNORED)}

    def loss(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        tokens = targets["tokens"]
        losses = functional.cross_entropy(logits.transpose(1, 2), tokens, ignore_index=_IGNORED, reduction="none")
        return losses.sum(1) / (tokens != _IGNORED).sum(1)

    def outputs(self, model: Any, run: Runner, rows: Units) -> Arrays | None:
        made = run(
            lambda inputs: greedy(model, inputs, self._settings),
            lambda units: self._texts.inputs(rows[units]),
            self._texts.lengths[rows],
            least=ROWS_AT_ONCE,
        )
        return None if made is None else self._encoding.collect(made or nothing())

    def fitted(self, model: Any) -> FittedSeq2Seq:
        return FittedSeq2Seq(model, self.encoder)

    @classmethod
    def load(cls, folder: Path) -> FittedSeq2Seq:
        return FittedSeq2Seq(reload(folder, cls.auto_class), load_encoder(folder))


def _check_ends(written: TokenisedRows, settings: Generation, source: Source) -> None:
    """A model whose targets do not end would learn to write on and on. Raises TrialError."""
    if not np.isin(written.ids[written.starts[1:] - 1], settings.ends).all():
        raise TrialError(
            f"source {source.name!r}: its tokenizer does not put the end {list(settings.ends)} behind a text",
            hint="choose another source, a T5 for instance: autoft models",
        )
