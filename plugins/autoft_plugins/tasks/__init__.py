"""Tasks: one file each."""

from __future__ import annotations

from autoft.interfaces.task import Task
from autoft_plugins.tasks.multi_label import MultiLabel
from autoft_plugins.tasks.pair_classification import PairClassification
from autoft_plugins.tasks.pair_score import PairScore
from autoft_plugins.tasks.seq2seq import Seq2Seq
from autoft_plugins.tasks.text_classification import TextClassification
from autoft_plugins.tasks.text_regression import TextRegression
from autoft_plugins.tasks.token_classification import TokenClassification

TASKS: list[Task] = [
    TextClassification(),
    MultiLabel(),
    PairClassification(),
    PairScore(),
    TextRegression(),
    TokenClassification(),
    Seq2Seq(),
]
"""What the built-in plugin registers."""
