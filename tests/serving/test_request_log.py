"""Texts are written down where somebody asked for it, and nowhere else."""

from __future__ import annotations

import json
import logging
import re
import stat
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import task_bundles
from autoft.cli.serve import command
from autoft.errors import InputError
from autoft.loading import load_predictor, read_rows
from autoft.serving.access import REQUEST_ID
from autoft.serving.app import create_app
from autoft.serving.request_log import RequestLog, fields_of, label_of
from small_bundle import problem


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_a_row_that_a_run_reads(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    client = TestClient(create_app(load_predictor(bundle, threads=1), name="reviews", request_log=RequestLog(path)))
    client.post("/predict", json={"inputs": ["great", {"review": "awful \u00fc"}]})
    client.post("/", json={"inputs": "great"})
    client.post("/predict", json={"text": 3})
    first, second, third = lines(path)
    assert (first["review"], first["rating"]) == ("great", "good")
    assert (second["review"], second["rating"]) == ("awful \u00fc", "bad")
    assert second["answer"]["score"] > 0.9
    assert first["request_id"] == second["request_id"] != third["request_id"]
    assert datetime.fromisoformat(first["request_time"]).tzinfo is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = read_rows(path)
    assert list(table["review"]) == ["great", "awful \u00fc", "great"]
    assert list(table["rating"]) == ["good", "bad", "good"]


def test_nothing_is_written_by_default(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = sorted(tmp_path.rglob("*"))
    with caplog.at_level(logging.DEBUG):
        TestClient(create_app(load_predictor(bundle, threads=1), name="reviews")).post("/predict", json={"text": "a private text"})
    assert sorted(tmp_path.rglob("*")) == before
    assert "private" not in caplog.text


def test_files_are_turned_over_by_size(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = RequestLog(path, most_bytes=400, kept=3)
    REQUEST_ID.set("named-elsewhere")
    for number in range(20):
        log.write(problem(), "classes", [f"text {number}"], [{"label": "good", "score": 1.0}])
    kept = sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith("."))
    assert kept == ["log.1.jsonl", "log.2.jsonl", "log.jsonl"]
    assert all(file.stat().st_size <= 400 for file in tmp_path.iterdir())
    newest, before = lines(path), lines(tmp_path / "log.1.jsonl")
    assert newest[-1]["review"] == "text 19"
    assert int(before[-1]["review"].split()[1]) + 1 == int(newest[0]["review"].split()[1])
    assert newest[0]["request_id"] == "named-elsewhere"


def test_a_full_disk_ends_no_request(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    client = TestClient(create_app(load_predictor(bundle, threads=1), name="reviews", request_log=RequestLog(folder / "log.jsonl")))
    (folder / "log.jsonl").unlink()
    folder.rmdir()
    for _ in range(2):
        assert client.post("/predict", json={"text": "great"}).status_code == 200
    assert len(re.findall("requests are not logged", caplog.text)) == 1


def test_files_that_cannot_be(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(InputError, match="JSON lines") as caught:
        RequestLog(tmp_path / "log.csv")
    assert "log.jsonl" in (caught.value.hint or "")
    with pytest.raises(InputError, match="cannot be written"):
        RequestLog(tmp_path / "absent" / "log.jsonl")
    result = CliRunner().invoke(command, [str(bundle), "--port", "0", "--log-requests", str(tmp_path / "log.txt")])
    assert isinstance(result.exception, InputError)


def test_answers_in_the_notation_of_the_training_file() -> None:
    pair = task_bundles.problem("pair-score", "regression", pair=True)
    assert fields_of({"text": "a", "hypothesis": "b"}, pair) == {"premise": "a", "hypothesis": "b"}
    assert label_of({"score": 2.5}, "score", pair) == {"rating": 2.5}
    several = task_bundles.problem("multi-label", "multi_label_classification", ("bad", "good"))
    assert label_of({"labels": ["bad", "good"]}, "labels", several) == {"rating": ["bad", "good"]}
    parted = several.model_copy(update={"extra": {"separator": "|"}})
    assert label_of({"labels": ["bad", "good"]}, "labels", parted) == {"rating": "bad|good"}
    flags = several.model_copy(update={"fields": {"text": ("review",), "label": ("bad", "good")}})
    assert label_of({"labels": ["good"]}, "labels", flags) == {"bad": 0, "good": 1}
    assert fields_of({"text": [1, 2]}, flags.model_copy(update={"fields": {"text": ("a", "b")}})) == {"a": 1, "b": 2}
    spans = task_bundles.problem("token-classification", "token_classification").model_copy(update={"extra": {"form": "spans"}})
    found = {"entities": [{"start": 0, "end": 3, "entity_group": "NAME", "word": "Ada", "score": 0.9}]}
    assert label_of(found, "entities", spans) == {"rating": [{"start": 0, "end": 3, "label": "NAME"}]}
    assert label_of(found, "entities", spans.model_copy(update={"extra": {"form": "tags"}})) == {}
