"""Tasks: text classification."""

from __future__ import annotations

from autoft.interfaces.task import Task
from autoft_plugins.tasks.text_classification import TextClassification

TASKS: list[Task] = [TextClassification()]
"""What the built-in plugin registers."""
