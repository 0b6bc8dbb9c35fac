"""The worked example of docs/tasks/seq2seq.md: its data is understood without a flag, and its answers have the form that is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.interfaces.task import Decoder
from autoft.steps.tasks import find_task

PAGE = Path(__file__).parents[2] / "docs" / "tasks" / "seq2seq.md"


@pytest.fixture
def blocks() -> dict[str, str]:
    return dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)[:3])


def test_the_data_is_understood(blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks["python"], str(PAGE), "exec"), {})
    (name,) = re.findall(r"autoft run (\S+)", blocks["sh"])
    catalog = Catalog.build()
    table = read_table(tmp_path / name, list(catalog.readers.values()))
    found = find_task(table, {}, None, catalog)
    task = found.task
    assert task.name == "seq2seq"
    assert not found.doubt
    assert found.match.columns == {"text": ("text",), "label": ("summary",)}
    problem = task.problem(table, found.match, metric=None, seed=0)
    answer = json.loads(blocks["json"])
    targets = task.targets(problem, table)
    assert re.fullmatch(r"\w+ \d+:\d+, the \w+", answer["text"]), "in the form of the targets"
    assert sum(bool(re.fullmatch(r"\w+ \d+:\d+, \w+ \w+", target)) for target in targets) == len(targets) == 400
    made = task.decode(problem, Decoder(), {"text": np.array([answer["text"]])}, task.inputs(problem, table.take([0])))
    assert made == [answer]
    constant = task.constant(problem, targets, len(targets))["text"]
    assert task.score(problem, targets, constant)["rouge_l"] < 0.8
