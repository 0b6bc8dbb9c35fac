"""Which task a table is for, and which column plays which role: by the user's word, by name, by content, and never by a coin.

Each function returns a `Match`, None when the table is of another kind, or raises DataError with the flags that help when it is of this
kind but ambiguous or unusable. `given` are the columns that the user named by role; a role that the task lacks means another task.

How a column of numbers is read: up to 4 fractions and up to 20 whole numbers, each repeated, are classes; of a column called score, rating
or the like up to 7 whole numbers are classes, between two texts up to 3. The reason says how to get the other reading.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoft.data.table import Table
from autoft.interfaces.task import Match
from autoft_plugins.tasks.matching.fit import on_one_text, on_rewriting, on_tagged_words, on_two_texts
from autoft_plugins.tasks.matching.view import view_of


def match_text_classification(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """One text, one class."""
    return on_one_text(view_of(table), given, ("class",), "text-classification")


def match_multi_label(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """One text, several labels: a column of lists or of parted strings, or one column of 0 and 1 a label."""
    return on_one_text(view_of(table), given, ("labels", "flags"), "multi-label")


def match_text_regression(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """One text, one number."""
    return on_one_text(view_of(table), given, ("number",), "text-regression")


def match_pair_classification(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """Two texts, one class."""
    return on_two_texts(view_of(table), given, ("class",), "pair-classification")


def match_pair_score(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """Two texts, one number."""
    return on_two_texts(view_of(table), given, ("number",), "pair-score")


def match_token_classification(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """Words with a tag each, or a text with spans."""
    return on_tagged_words(view_of(table), given)


def match_seq2seq(table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
    """One text, another one to be written from it."""
    return on_rewriting(view_of(table), given)
