"""Small tables as people bring them, with what should be made of each: index.json names the task and columns, or what has to be asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.data.reading import read_table
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft.steps.tasks import Found, find_task

HERE = Path(__file__).parent
INDEX: dict[str, dict[str, Any]] = json.loads((HERE / "index.json").read_text(encoding="utf-8"))
UNDERSTOOD = [name for name, wanted in INDEX.items() if wanted.get("task")]
ASKED = [name for name, wanted in INDEX.items() if "asks" in wanted]
REFUSED = [name for name, wanted in INDEX.items() if "refuses" in wanted]

ORDER_TELLS = ("en_de.tsv", "headline_and_body.csv")
"""Which language is translated, and which text of a pair comes first, only the order of the columns says."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.build()


@pytest.fixture(scope="module")
def tables(catalog: Catalog) -> Mapping[str, Table]:
    readers = list(catalog.readers.values())
    return {name: read_table(HERE / name, readers) for name in INDEX}


def columns_of(found: Found) -> dict[str, str | list[str]]:
    return {role: list(names) if len(names) > 1 else names[0] for role, names in found.match.columns.items()}


def judged(table: Table, catalog: Catalog, wanted: Mapping[str, Any], rename: Mapping[str, str] | None = None) -> str:
    """right, asked, warned (wrong with a warning) or wrong."""
    try:
        found = find_task(table, {}, None, catalog)
    except DataError as error:
        return "asked" if error.hint else "asked without a hint"
    names = {new: old for old, new in (rename or {}).items()}
    columns = {role: [names.get(one, one) for one in ([c] if isinstance(c, str) else c)] for role, c in columns_of(found).items()}
    expected = {role: [c] if isinstance(c, str) else c for role, c in wanted.get("columns", {}).items()}
    if found.task.name == wanted.get("task") and {r: sorted(c) for r, c in columns.items()} == {r: sorted(c) for r, c in expected.items()}:
        return "right"
    return "warned" if found.doubt else "wrong"


def problem_of(table: Table, catalog: Catalog) -> Problem:
    found = find_task(table, {}, None, catalog)
    return found.task.problem(table, found.match, metric=None, seed=0)


def test_the_collection_is_what_it_should_be(catalog: Catalog, tables: Mapping[str, Table]) -> None:
    assert len(INDEX) >= 40
    assert {path.name for path in HERE.iterdir() if path.suffix in (".csv", ".tsv", ".jsonl")} == INDEX.keys()
    assert {INDEX[name]["task"] for name in UNDERSTOOD} <= catalog.tasks.keys()
    assert len({INDEX[name]["task"] for name in UNDERSTOOD}) == 7
    assert all(6 <= len(table) <= 40 for table in tables.values())


def test_nearly_all_are_understood_without_a_flag_and_none_is_wrong(catalog: Catalog, tables: Mapping[str, Table]) -> None:
    found = {name: judged(tables[name], catalog, INDEX[name]) for name in UNDERSTOOD}
    assert not [name for name, how in found.items() if how == "wrong"]
    assert sum(how == "right" for how in found.values()) >= 0.95 * len(found), {name: how for name, how in found.items() if how != "right"}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_open_is_asked_for(catalog: Catalog, tables: Mapping[str, Table], name: str) -> None:
    with pytest.raises(DataError) as caught:
        find_task(tables[name], {}, None, catalog)
    assert INDEX[name]["asks"] in (caught.value.hint or "")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learned_from_is_refused(catalog: Catalog, tables: Mapping[str, Table], name: str) -> None:
    with pytest.raises(DataError, match=re.escape(INDEX[name]["refuses"])) as caught:
        problem_of(tables[name], catalog)
    assert caught.value.hint


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_is_understood_can_be_learned(catalog: Catalog, tables: Mapping[str, Table], name: str) -> None:
    """The task takes the very columns that were found: lists in strings, spans, decimal commas."""
    table = tables[name]
    found = find_task(table, {}, None, catalog)
    table = table.take(np.arange(2 * len(table)) % len(table))  # so that no class has a single row
    problem = found.task.problem(table, found.match, metric=None, seed=0)
    rows = table.take(np.flatnonzero(found.task.usable(problem, table)))
    assert len(found.task.targets(problem, rows)) == len(rows) >= 10
    assert found.task.inputs(problem, rows).names[: len(problem.inputs)] == problem.inputs


def more_columns(table: Table) -> dict[str, Sequence[Any]]:
    rows = range(len(table))
    return {
        "row_id": [f"R-{i:03d}" for i in rows],
        **table.columns,
        "split": ["train" if i % 4 else "test" for i in rows],
        "created_at": [f"2024-02-{i % 28 + 1:02d} 10:15:00" for i in rows],
        "page_url": [f"https://pages.example/{i}" for i in rows],
    }


def test_neither_the_order_of_columns_nor_further_ones_change_the_answer(catalog: Catalog, tables: Mapping[str, Table]) -> None:
    for name in UNDERSTOOD:
        before = judged(tables[name], catalog, INDEX[name])
        table = tables[name]
        assert judged(Table(more_columns(table), table.origin), catalog, INDEX[name]) == before, name
        if name not in ORDER_TELLS:
            assert judged(Table(dict(reversed(table.columns.items())), table.origin), catalog, INDEX[name]) == before, name


def test_without_names_nothing_is_wrong_without_a_warning(catalog: Catalog, tables: Mapping[str, Table]) -> None:
    """The headers taken away, the content has to tell: what it cannot tell is asked for, or said to be a guess."""
    found = {}
    for name in UNDERSTOOD:
        rename = {old: f"c{chr(97 + i)}q" for i, old in enumerate(tables[name].names)}
        table = Table({rename[old]: values for old, values in tables[name].columns.items()}, tables[name].origin)
        found[name] = judged(table, catalog, INDEX[name], rename)
    assert not [name for name, how in found.items() if how == "wrong"]
    assert sum(how == "right" for how in found.values()) >= 0.6 * len(found)
