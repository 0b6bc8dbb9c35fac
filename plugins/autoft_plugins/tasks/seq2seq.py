"""Sequence to sequence: one text in, another text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Match
from autoft_plugins.tasks.fields import column_names, texts_of
from autoft_plugins.tasks.matching import match_seq2seq
from autoft_plugins.tasks.rouge import rouge_l, same_text
from autoft_plugins.tasks.text_task import TextTask
from autoft_plugins.tasks.texts import SAMPLE, length_cap, likely_tokens

VALIDATION_ROWS = 200
"""Validation rows that an evaluation answers: writing a text takes as long as reading dozens."""


class Seq2Seq(TextTask):
    """Roles: `text` and `label`, the text to be written. Targets are texts (n,), outputs `text` (n,) and, from models that generate, the
    `sequences` of token ids (n, length) with the log-probability of each, `scores`, and of the next likeliest, `runner_up`. Texts are
    objects: in arrays of strings each would take as much memory as the longest."""

    name = "seq2seq"
    summary = "one text, another text: a summary, a translation, a normal form"
    also = ("summarization", "summarisation", "translation", "text2text", "text2text-generation", "generation")
    kind = "seq2seq"
    metrics = ("rouge_l", "exact_match")

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_seq2seq(table, given)

    def learned(self, draft: Problem, rows: Table) -> Problem:
        """With a cap on the tokens of an answer, `target_length`, their mean, `target_tokens`, and a cap on the rows of an evaluation,
        `validation_rows`. Raises DataError where all targets are equal."""
        targets = texts_of(draft, rows, "label")
        if len(set(targets)) == 1:
            (name,) = column_names(draft, rows, "label")
            what = f"{rows.origin}: all {len(rows)} rows have the same text in the column {name!r}; there is nothing to learn"
            raise DataError(what, hint="name another column: --label NAME")
        tokens = ceil(fmean(map(likely_tokens, targets[:: max(1, len(targets) // SAMPLE)])))
        own = {"target_length": length_cap(targets), "target_tokens": tokens, "validation_rows": VALIDATION_ROWS}
        return draft.model_copy(update={"extra": {**draft.extra, **own}})

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        return np.array(texts_of(problem, table, "label"), dtype=object)

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:  # noqa: ARG002
        return None

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:  # noqa: ARG002
        """The most frequent target, the first of equally frequent ones."""
        counts = Counter(targets.tolist())
        return {"text": np.array([max(counts, key=counts.__getitem__, default="")] * rows, dtype=object)}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:  # noqa: ARG002
        return Decoder({"function": "none"})

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:  # noqa: ARG002
        return outputs["text"]

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:
        return self.figures(problem, self.tallies(problem, targets, decisions).sum(axis=0))

    def tallies(
        self,
        problem: Problem,  # noqa: ARG002
        targets: npt.NDArray[Any],
        decisions: npt.NDArray[Any],
    ) -> npt.NDArray[np.float64]:
        """The row's ROUGE-L, whether it is right, and 1."""
        pairs = zip(targets.tolist(), decisions.tolist(), strict=True)
        made = [(rouge_l(target, text), float(same_text(target, text)), 1.0) for target, text in pairs]
        return np.array(made, np.float64).reshape(-1, 3)

    def figures(self, problem: Problem, sums: npt.NDArray[np.float64]) -> dict[str, float]:  # noqa: ARG002
        """Means over the rows; 0 without rows."""
        rouge, right, rows = sums.tolist()
        return {"rouge_l": rouge / max(1, rows), "exact_match": right / max(1, rows)}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:  # noqa: ARG002
        """`{"text"}` a row."""
        return [{"text": text} for text in outputs["text"].tolist()]
