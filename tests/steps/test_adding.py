"""Rows of further files: learned from, never chosen by or judged on."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autoft.catalog import Catalog
from autoft.errors import DataError, SettingsError
from autoft.settings import Settings
from autoft.steps.confirm import _refolded
from autoft.steps.parts import learning
from autoft.steps.understand import Understood, understand


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"review": text, "rating": label, "request_id": "7"}) + "\n" for text, label in rows))
    return path


def data(path: Path, count: int) -> Path:
    path.write_text("review,rating\n" + "".join(f"words {i},{'ab'[i % 2]}\n" for i in range(count)))
    return path


def look(path: Path, *added: Path, **flags: object) -> Understood:
    return understand(Settings(data=path, add=added, task="text-classification", **flags), Catalog.build(kinds=("tasks", "readers")))


@pytest.mark.parametrize("count", [200, 600])
def test_they_are_learned_from_alone(tmp_path: Path, count: int) -> None:
    path = data(tmp_path / "a.csv", count)
    plain = look(path)
    tested = plain.rows["text"][plain.splits.test[0]]
    first = write(tmp_path / "log.jsonl", [("new 1", "a"), (tested, "a"), ("new 2", "b"), ("new 3", None)])
    second = write(tmp_path / "more.jsonl", [("new 1", "b"), ("new 4", "b")])
    whole = look(path, first, second)
    assert (whole.added, whole.read) == (3, count + 6)
    assert list(whole.rows["text"][-3:]) == ["new 1", "new 2", "new 4"]
    places = np.arange(count, count + 3)
    assert np.array_equal(whole.splits.train, np.concatenate([plain.splits.train, places]))
    for part in ("validation", "test"):
        assert np.array_equal(getattr(whole.splits, part), getattr(plain.splits, part))
    assert not np.isin(places, whole.validated).any()
    assert np.isin(places, whole.learnable).all()
    said = "\n".join(whole.remarks)
    assert "1 of 4 rows of" in said
    assert "no input or no label" in said
    assert "1 of 3 rows of" in said
    assert "2 rows of" in said
    assert whole.problem.data_sha256 == plain.problem.data_sha256
    fit = learning(whole.problem, whole.rows, whole.targets, whole.splits, tmp_path)
    again = _refolded(SimpleNamespace(understood=whole, data=fit), 1)
    rounds = again.folds or ((again.train, again.validation),)
    for train, held in rounds:
        assert np.isin(places, train).all()
        assert not np.isin(places, held).any()
    assert (whole.splits.folds is None) == (count == 600)


def test_what_cannot_be_added(tmp_path: Path) -> None:
    path = data(tmp_path / "a.csv", 200)
    with pytest.raises(DataError, match="no row is left"):
        look(path, write(tmp_path / "log.jsonl", [("words 3", "a")]))
    with pytest.raises(DataError, match="none of the classes"):
        look(path, write(tmp_path / "log.jsonl", [("new", "c")]))
    with pytest.raises(SettingsError, match="give one of them"):
        Settings.collect({"data": path, "add": [tmp_path / "log.jsonl"], "group": "review"})
