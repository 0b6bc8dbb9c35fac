"""`autoft runs` and `autoft runs show`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autoft.cli.runs import command
from autoft.errors import InputError
from autoft.store import Store
from stream_of_events import RESULT, events


@pytest.fixture
def database(tmp_path, monkeypatch) -> str:
    url = f"sqlite:///{tmp_path}/a.db"
    monkeypatch.setenv("AUTOFT_DATABASE", url)
    store = Store(url)
    for event in events(tmp_path / "out"):
        store.event(event)
    return url


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list(database):
    lines = run().splitlines()
    assert lines[1].split()[0] == "reviews-1"
    assert "done" in lines[1]
    assert "full:all-mpnet-base-v2 f1_macro 0.9100" in lines[1]
    (listed,) = json.loads(run("--json"))
    assert (listed["id"], listed["best_value"]) == ("reviews-1", 0.91)


def test_an_empty_list_says_how_to_start(tmp_path):
    assert "autoft run data.csv" in run("--database", f"sqlite:///{tmp_path}/b.db")


@pytest.mark.parametrize("name", ["reviews-1", "rev", "last"])
def test_one_run(database, name, tmp_path):
    said = run("show", name)
    assert "Run reviews-1: done in 1m 20s, text-classification on reviews.csv" in said
    places = [said.index(word) for word in ("full:all-mpnet-base-v2", "linear", "stopped", "failed")]
    assert places == sorted(places)
    assert f"Verdict: {RESULT['verdict']}" in said
    assert f"Folder: {tmp_path / 'out'}" in said
    assert "run.json" in said


def test_one_run_as_json(database):
    content = json.loads(run("show", "last", "--json"))
    assert content["run"]["status"] == "done"
    assert [t["number"] for t in content["trials"]] == [1, 2, 3, 4]
    assert content["artifacts"][0]["sha256"]


def test_an_absent_run_names_the_nearest(database):
    with pytest.raises(InputError, match="nearest: reviews-1"):
        run("show", "review-1")
