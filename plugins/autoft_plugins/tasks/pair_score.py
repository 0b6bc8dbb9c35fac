"""Pair scores: two texts in, a number out, e.g. how alike they are."""

from __future__ import annotations

from collections.abc import Mapping

from autoft.data.table import Table
from autoft.interfaces.task import Match
from autoft_plugins.tasks.matching import match_pair_score
from autoft_plugins.tasks.regression import Regression
from autoft_plugins.tasks.text_task import PAIR


class PairScore(Regression):
    """Roles: `text`, `text_pair` and `label`."""

    name = "pair-score"
    summary = "two texts, a number: similarity, relatedness"
    also = ("similarity", "sts", "text-similarity", "relevance")
    roles = PAIR
    metrics = ("spearman", "mae", "r2")

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_pair_score(table, given)
