"""Tasks with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from autoft.data.table import Table
from autoft.errors import DataError
from autoft.scaffold.templates.task.plugin import Grades
from autoft.testing import check_task, grades
from broken import but, finds


def refuse(task: Grades, problem: Any, records: Any) -> Table:
    try:
        return Grades.check_inputs(task, problem, records)
    except DataError:
        raise DataError("what") from None


TASKS: dict[str, tuple[str, Any]] = {
    "is no Task: it lacks decode": ("decode", property()),
    "its summary is 'two\\\\nlines'": ("summary", "two\nlines"),
    "match raised KeyError": ("match", lambda self, table, given: table["absent"]),
    "match takes a table of empty cells": (
        "match", lambda self, table, given: dataclasses.replace(Grades.match(self, grades(), given), columns={"text": (table.names[0],)}),
    ),
    "it was given 3": ("problem", lambda self, table, match, metric, seed: Grades.problem(self, table, match, metric=metric, seed=0)),
    "problem took the metric 'no-such-metric'": (
        "problem", lambda self, table, match, metric, seed: Grades.problem(self, table, match, metric=None, seed=seed),
    ),
    "usable gave no booleans": ("usable", lambda self, problem, table: [True] * len(table)),
    "inputs lack the role": ("inputs", lambda self, problem, table: Table({"words": ["a"] * len(table)})),
    "inputs took a table without its columns": ("inputs", lambda self, problem, table: Table({"text": ["a"] * len(table)})),
    "targets have 1 rows": ("targets", lambda self, problem, table: np.zeros(1, np.int64)),
    "strata have shape": ("strata", lambda self, problem, targets: targets[:2]),
    "constant gives logits 2 wide": ("constant", lambda self, problem, targets, rows: {"logits": np.zeros((rows, 2))}),
    "holds what is no number": ("constant", lambda self, problem, targets, rows: {"logits": np.full((rows, 5), np.nan)}),
    "decide made 1 decisions": ("decide", lambda self, problem, decoder, outputs: np.zeros(1)),
    "score has no 'mae'": ("score", lambda self, problem, targets, decisions: {"accuracy": 1.0}),
    "an answer of decode cannot be written as JSON": (
        "decode", lambda self, problem, decoder, outputs, inputs: [{"score": np.float32(1)}] * len(inputs),
    ),
    "check_inputs took a request without its inputs": (
        "check_inputs", lambda self, problem, records: Table({"text": [record.get("text", "") for record in records]}),
    ),
    "which does not name the row": ("check_inputs", lambda self, problem, records: refuse(self, problem, records)),
    "targets have codes from 0 to 5; the head's are 0 to 4": (
        "targets", lambda self, problem, table: np.where(np.arange(len(table)) == 0, 5, Grades.targets(self, problem, table)),
    ),
    "decisions have codes from -1 to": ("decide", lambda self, problem, decoder, outputs: np.arange(len(outputs["logits"])) % 5 - 1),
    "gives \\['text'\\] another way": (
        "check_inputs", lambda self, problem, records: Table({"text": [str(one.get("text", "")).upper() for one in records]}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", TASKS)
def test_tasks(sentence: str) -> None:
    member, broken = TASKS[sentence]
    finds(lambda: check_task(but(Grades, **{member: broken}), grades()), sentence)


def test_a_task_that_takes_no_tiny_table_needs_one() -> None:
    finds(lambda: check_task(but(Grades, match=lambda self, table, given: None)), "give rows of its kind")
