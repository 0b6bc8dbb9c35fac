"""Text regression: one text in, a number out."""

from __future__ import annotations

from collections.abc import Mapping

from autoft.data.table import Table
from autoft.interfaces.task import Match
from autoft_plugins.tasks.matching import match_text_regression
from autoft_plugins.tasks.regression import Regression


class TextRegression(Regression):
    """Roles: `text` and `label`."""

    name = "text-regression"
    summary = "one text, a number: a rating, a price"
    also = ("regression", "rating", "score")
    metrics = ("r2", "mae", "spearman")

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_text_regression(table, given)
