"""Pair classification: two texts in, one of several classes out, e.g. whether one follows from the other."""

from __future__ import annotations

from collections.abc import Mapping

from autoft.data.table import Table
from autoft.interfaces.task import Match
from autoft_plugins.tasks.classes import Classification
from autoft_plugins.tasks.matching import match_pair_classification
from autoft_plugins.tasks.text_task import PAIR


class PairClassification(Classification):
    """Roles: `text`, `text_pair` and `label`."""

    name = "pair-classification"
    summary = "two texts, one of several classes: entailment, paraphrase"
    also = ("nli", "entailment", "paraphrase", "text-pair")
    roles = PAIR

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_pair_classification(table, given)
