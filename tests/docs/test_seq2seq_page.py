"""The worked example of docs/tasks/seq2seq.md: its data is understood without a flag, and the answers it shows are of their form.

What its commands do is in test_task_pages.py, with weights that write anything."""

from __future__ import annotations

import json
import re

import numpy as np

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.interfaces.task import Decoder
from autoft.steps.tasks import find_task
from worked_examples import DOCS, read


def test_the_data_is_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = read(DOCS / "tasks" / "seq2seq.md")
    example.write_data()
    catalog = Catalog.build()
    table = read_table(tmp_path / example.commands[0].words[2], list(catalog.readers.values()))
    found = find_task(table, {}, None, catalog)
    task = found.task
    assert task.name == "seq2seq"
    assert not found.doubt
    assert found.match.columns == {"text": ("text",), "label": ("summary",)}
    problem = task.problem(table, found.match, metric=None, seed=0)
    targets = task.targets(problem, table)
    assert sum(bool(re.fullmatch(r"\w+ \d+:\d+, \w+ \w+", target)) for target in targets) == len(targets) == 400
    answers = [json.loads(command.shown) for command in example.commands if command.shown]
    assert all(re.fullmatch(r"\w+ \d+:\d+, \w+ \w+", answer["text"]) for answer in answers), "in the form of the targets"
    written = {"text": np.array([answer["text"] for answer in answers])}
    assert task.decode(problem, Decoder(), written, task.inputs(problem, table.take(range(len(answers))))) == answers
    constant = task.constant(problem, targets, len(targets))["text"]
    assert task.score(problem, targets, constant)["rouge_l"] < 0.8
