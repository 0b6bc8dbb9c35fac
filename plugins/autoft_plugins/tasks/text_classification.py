"""Text classification: one text in, one of several classes out."""

from __future__ import annotations

from collections.abc import Mapping

from autoft.data.table import Table
from autoft.interfaces.task import Match
from autoft_plugins.tasks.classes import Classification
from autoft_plugins.tasks.matching import match_text_classification


class TextClassification(Classification):
    """Roles: `text` and `label`."""

    name = "text-classification"
    summary = "one text, one of several classes"
    also = ("classification", "sentiment", "intent", "single-label")

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_text_classification(table, given)
