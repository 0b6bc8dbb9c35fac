"""A run goes on only with what it had."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoft.data.splits import Splits
from autoft.data.table import Table
from autoft.errors import DataError, InputError, PluginError, SettingsError, SourceError
from autoft.history import History
from autoft.interfaces.events import Event, RunFinished, RunResumed, RunStarted
from autoft.interfaces.model import Candidate, Limits
from autoft.interfaces.source import Source
from autoft.interfaces.tuner import PluginFile
from autoft.settings import Settings
from autoft.steps.begin import file_hashes, rows_sha256, source_hashes
from autoft.steps.choose import Choice
from autoft.steps.clock import DEFAULT_BUDGET
from autoft.steps.reopen import directory, limits_before, refuse_ended, same_candidates, same_data, same_plugins, settings_of

TOLD: dict[str, Any] = {"run_id": "r-1", "folder": "out", "data": "d.csv", "task": "t", "candidates": ("a",), "metric": "f1_macro"}


def past(folder: Path, *events: Event, settings: Settings | None = None, **facts: Any) -> History:
    """With run.json as it is read back."""
    written = (settings or Settings(data=Path("d.csv"), trials=4)).model_dump(mode="json")
    return History(folder, json.loads(json.dumps({"run_id": "r-1", "started": 0.0, "settings": written, **facts})), events)


def began(budget: float | None, at: float = 30.0) -> RunStarted:
    return RunStarted(**TOLD, budget=budget, time=at)


def went_on(budget: float) -> RunResumed:
    return RunResumed(**TOLD, budget=budget, time=70.0, started=60.0, spent=30.0)


def test_settings_are_the_runs_own(tmp_path: Path) -> None:
    given = Settings(data=Path("d.csv"), trials=4, columns={"text": "a"}, models=("linear", "./mine"), plugins=(Path("p.py"),), seed=9)
    found = settings_of(past(tmp_path, settings=given), budget=None, database=None, verbose=None)
    assert found == given.model_copy(update={"output": tmp_path})


@pytest.mark.parametrize(
    ("own", "told", "given", "expected"),
    [
        (100.0, [began(100.0)], None, 100.0),
        (100.0, [began(100.0)], "2m", 150.0),
        (None, [began(None)], None, None),
        (None, [began(None)], 60, 90.0),
        (100.0, [began(100.0), went_on(500.0)], None, 500.0),
        (100.0, [began(100.0), went_on(500.0)], "10s", 50.0),
    ],
)
def test_a_budget_counts_all_sessions(tmp_path: Path, own: float | None, told: list[Event], given: Any, expected: float | None) -> None:
    settings = Settings(data=Path("d.csv"), trials=4, budget=own)
    assert settings_of(past(tmp_path, *told, settings=settings), budget=given, database=None, verbose=None).budget == expected


def test_a_run_without_a_budget_still_ends_when_nothing_is_to_be_gained(tmp_path: Path) -> None:
    before = past(tmp_path, began(DEFAULT_BUDGET), settings=Settings(data=Path("d.csv")))
    assert settings_of(before, budget=None, database=None, verbose=None).budget is None


def test_a_budget_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='--budget is "soon"'):
        settings_of(past(tmp_path), budget="soon", database=None, verbose=None)


@pytest.mark.parametrize(("given", "expected"), [(None, "head:6379"), ("other:6379", "other:6379"), ("auto", "auto"), ("local", None)])
def test_a_run_goes_on_where_it_was_or_where_one_says(tmp_path: Path, given: str | None, expected: str | None) -> None:
    before = past(tmp_path, settings=Settings(data=Path("d.csv"), ray_address="head:6379"))
    assert settings_of(before, budget=None, database=None, verbose=None, ray_address=given).ray_address == expected


@pytest.mark.parametrize(
    ("own", "given", "expected"), [(False, None, False), (False, True, True), (True, None, True), (True, False, False)]
)
def test_a_run_goes_on_offline_where_it_was_or_where_one_says(tmp_path: Path, own: bool, given: bool | None, expected: bool) -> None:
    before = past(tmp_path, settings=Settings(data=Path("d.csv"), offline=own))
    assert settings_of(before, budget=None, database=None, verbose=None, offline=given).offline is expected


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='--ray-address is "head"; it must be HOST:PORT'):
        settings_of(past(tmp_path), budget=None, database=None, verbose=None, ray_address="head")


def test_a_masked_password_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = past(tmp_path, settings=Settings(data=Path("d.csv"), database="postgresql://me:hush@db/runs"))
    monkeypatch.delenv("AUTOFT_DATABASE", raising=False)
    with pytest.raises(SettingsError, match=r"me:\*\*\*@db") as error:
        settings_of(before, budget=None, database=None, verbose=None)
    assert "hush" not in error.value.message
    assert settings_of(before, budget=None, database="sqlite:///x", verbose=None).database == "sqlite:///x"
    monkeypatch.setenv("AUTOFT_DATABASE", "postgresql://me:hush@db/runs")
    assert settings_of(before, budget=None, database=None, verbose=None).database == "postgresql://me:hush@db/runs"


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another version"):
        settings_of(History(tmp_path, {"settings": {"colour": "red"}}, ()), budget=None, database=None, verbose=None)
    with pytest.raises(InputError, match="another version"):
        limits_before(past(tmp_path))


def test_a_run_with_a_result_is_refused(tmp_path: Path) -> None:
    refuse_ended(past(tmp_path, began(None)))
    with pytest.raises(InputError, match="has ended: it is stopped"):
        refuse_ended(past(tmp_path, began(None), RunFinished(run_id="r-1", status="stopped", result={})))


def test_relative_paths_belong_to_where_the_run_was_started(tmp_path: Path) -> None:
    assert directory(past(tmp_path, directory=str(tmp_path))) == tmp_path
    assert directory(past(tmp_path, directory=str(tmp_path / "gone"))) == Path()


def test_limits_are_those_of_the_beginning(tmp_path: Path) -> None:
    limits = Limits(memory=2**34, threads=2, gpus=0, seconds=None, flops=1.5e11)
    assert limits_before(past(tmp_path, limits=asdict(limits))) == limits


def test_plugin_files_are_the_same(tmp_path: Path) -> None:
    one, other = PluginFile("one.py", "1" * 64, "x"), PluginFile("other.py", "2" * 64, "y")
    before = past(tmp_path, plugins=file_hashes([one, other]))
    same_plugins(before, [one, other])
    for now in ([one], [one, replace(other, sha256="3" * 64)]):
        with pytest.raises(PluginError, match=r"has changed since the run began: other\.py"):
            same_plugins(before, now)


def understood(texts: str, *targets: int, **changes: Any) -> Any:
    splits = Splits(np.array([0, 1]), np.array([2]), np.array([3]), times=np.array([1.0, 2.0, np.nan, 4.0]))
    plain = {"data": Path("d.csv"), "rows": Table({"text": list(texts)}), "targets": np.array(targets), "splits": splits}
    return SimpleNamespace(**{**plain, "problem": SimpleNamespace(data_sha256="d"), **changes})


def test_data_and_parts_are_the_same(tmp_path: Path) -> None:
    first = understood("abcd", 0, 1, 0, 1)
    (tmp_path / "data").mkdir()
    first.splits.save(tmp_path / "data" / "splits.npz")
    before = past(tmp_path, data_sha256="d", rows_sha256=rows_sha256(first))
    same_data(before, first)
    other_file = understood("abcd", 0, 1, 0, 1, problem=SimpleNamespace(data_sha256="e"))
    for other in (understood("abce", 0, 1, 0, 1), understood("abcd", 0, 1, 1, 1), other_file):
        with pytest.raises(DataError, match="has changed since the run began"):
            same_data(before, other)
    for parts in ({"train": np.array([1, 0])}, {"times": None}, {"folds": np.zeros(4, np.int64)}):
        with pytest.raises(DataError, match="fall into other parts"):
            same_data(before, understood("abcd", 0, 1, 0, 1, splits=replace(first.splits, **parts)))


def candidate(name: str, sha256: str = "1") -> Candidate:
    return Candidate("full", Source(name, Path(name), sha256))


def test_candidates_are_the_same_whatever_would_be_chosen_now(tmp_path: Path) -> None:
    one, two, three = candidate("one"), candidate("two"), candidate("three")
    first = Choice((three, one), (two,), frozenset({"full:one"}))
    before = past(tmp_path, candidates=[c.name for c in first.tried], named=sorted(first.named), sources=source_hashes(first))
    assert same_candidates(before, Choice((one, two), (three,), frozenset())) == first
    with pytest.raises(SourceError, match="not to be had any more: full:three"):
        same_candidates(before, Choice((one, two), (), frozenset()))
    with pytest.raises(SourceError, match="weights have changed since the run began: one"):
        same_candidates(before, Choice((candidate("one", "2"), three), (), frozenset()))
