"""Whose rows are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoft.benching.questions import MOST, of_file, of_run
from autoft.errors import DataError
from autoft.loading import load_predictor, read_rows
from autoft.runtime.predictor import Predictor
from small_bundle import make_bundle, problem


def data(path: Path, rows: int = 30) -> Path:
    path.write_text("review,rating\n" + "".join(f"{'great' if n % 2 else 'awful'} thing {n},{n % 2}\n" for n in range(rows)))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as `autoft run shop.csv` leaves it, as far as it counts here."""
    path = data(tmp_path / "shop.csv")
    known = problem().model_copy(update={"data_sha256": read_rows(path).sha256()})
    make_bundle(tmp_path / "out" / "bundle", problem=known)
    facts = {"settings": {"data": "shop.csv"}, "directory": str(tmp_path)}
    (tmp_path / "out" / "run.json").write_text(json.dumps(facts))
    return tmp_path / "out"


def opened(run: Path) -> Predictor:
    return load_predictor(run / "bundle", threads=1)


def test_the_data_of_the_run_where_it_is_unchanged(run: Path) -> None:
    found = of_run(opened(run), run)
    assert not isinstance(found, str)
    assert (found.asked.kind, found.asked.name, found.asked.rows) == ("run", "shop.csv", 30)
    assert list(found.rows["text"])[:2] == ["awful thing 0", "great thing 1"]


def test_many_rows_of_the_run_are_taken_from_all_over_the_file(tmp_path: Path) -> None:
    path = data(tmp_path / "long.csv", 3 * MOST)
    known = problem().model_copy(update={"data_sha256": read_rows(path).sha256()})
    make_bundle(tmp_path / "bundle", problem=known)
    (tmp_path / "run.json").write_text(json.dumps({"settings": {"data": str(path)}}))
    found = of_run(opened(tmp_path), tmp_path)
    assert not isinstance(found, str)
    numbers = [int(text.split()[-1]) for text in found.rows["text"]]
    assert (len(numbers), numbers[0], numbers[-1]) == (MOST, 0, 3 * MOST - 1)
    assert numbers == sorted(set(numbers))


def test_why_it_is_not_the_data_of_the_run(run: Path) -> None:
    predictor, path = opened(run), run.parent / "shop.csv"
    data(path, 31)
    assert of_run(predictor, run) == f"{path} has changed since the run"
    path.unlink()
    assert of_run(predictor, run) == f"{path} is gone"
    (run / "run.json").write_text(json.dumps({"settings": {"data": "-"}}))
    assert of_run(predictor, run) == "the run learned from standard input"
    for content in ("{", "[]", "{}", '{"settings": {}}'):
        (run / "run.json").write_text(content)
        assert of_run(predictor, run) == f"{run / 'run.json'} does not say what it learned from"


def test_a_file_of_the_users(bundle: Path) -> None:
    predictor = load_predictor(bundle, threads=1)
    records = ({"review": f"great {number}"} for number in range(MOST + 9))
    found = of_file(predictor, records, {}, "a.csv")
    assert (found.asked.kind, found.asked.name, found.asked.rows, len(found.rows)) == ("file", "a.csv", MOST, MOST)
    named = of_file(predictor, [{"body": "great"}], {"text": "body"}, "b.csv")
    assert list(named.rows["text"]) == ["great"]
    with pytest.raises(DataError, match=r"a\.csv holds no rows"):
        of_file(predictor, [], {}, "a.csv")
    with pytest.raises(DataError, match="the model reads the column 'review'"):
        of_file(predictor, [{"x": "great"}], {}, "a.csv")
