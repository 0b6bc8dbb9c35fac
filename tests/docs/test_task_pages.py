"""The worked example of each page in docs/tasks, as it stands there: its data, its commands, its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.interfaces.source import Source
from same_answers import same
from support import result_of
from worked_examples import DOCS, PAGES, WRITER, read, settings, stand_in

SLOW = {"seq2seq": pytest.mark.slow}
"""It trains and exports a pair of graphs."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem, marks=SLOW.get(page.stem, ())) for page in PAGES])
def test_the_worked_example_does_what_the_page_says(page: Path, folder: Path, tiny_source: Callable[[str], Source]) -> None:
    example = read(page)
    writes = example.task == "seq2seq"
    if writes:
        stand_in(tiny_source("t5").folder, WRITER)
    example.write_data()
    compared = 0
    for command in example.commands:
        said = command.run()
        if command.shown:
            # Numbers are another machine's, and random weights write anything.
            text = (lambda _, found: isinstance(found, str)) if writes else str.__eq__
            shown, found = json.loads(command.shown), json.loads(said)
            assert same(shown, found, number=lambda _, found: isinstance(found, float), text=text), f"{command.shown}\nis not\n{said}"
            compared += 1
    result = result_of(folder / "out")
    assert result["task"] == example.task
    assert result["best"]["candidate"] == (f"full:{WRITER}" if writes else "linear")
    assert result["verified"]["passed"]
    assert compared >= 2
    assert (folder / "out" / "report.html").stat().st_size > 10_000


def test_every_task_has_a_page_and_a_line_in_the_table() -> None:
    tasks = Catalog.build(kinds=("tasks",)).tasks
    table = (DOCS / "tasks" / "README.md").read_text(encoding="utf-8")
    assert {page.stem for page in PAGES} == set(tasks)
    for name in tasks:
        assert f"| [{name}]({name}.md) |" in table
