"""The stream of events and what hangs on it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoft import leaderboard
from autoft.disk import inside, write_json
from autoft.errors import AutoftError, SettingsError
from autoft.interfaces.events import EVENTS, Event, Remark, TrialFinished, TrialStarted
from autoft.interfaces.problem import Metric
from autoft.journal import Journal, output_folder, refuse_taken


def row(number: int, status: str, value: float | None) -> TrialFinished:
    return TrialFinished.model_validate(
        {
            "trial": number,
            "candidate": "c",
            "status": status,
            "progress": 100 if status == "done" else 30,
            "metrics": {},
            "value": value,
            "seconds": 1.0,
            "hyperparameters": {"x": number},
        }
    )


def journal(folder: Path, *listeners: object, metric: Metric | None = None) -> Journal:
    made = Journal(folder, metric or Metric(name="f1_macro"), list(listeners))  # type: ignore[arg-type]
    made.start({"schema": 1})
    return made


def test_complete_trials_rank_before_stopped_and_failed_last(tmp_path: Path) -> None:
    kept = journal(tmp_path / "run")
    for event in (row(1, "stopped", 0.9), row(2, "done", 0.5), row(3, "failed", None), row(4, "done", 0.7)):
        kept.emit(event)
    with (tmp_path / "run" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["rank"], r["trial"]) for r in rows] == [("1", "4"), ("2", "2"), ("3", "1"), ("4", "3")]
    assert json.loads(rows[0]["hyperparameters"]) == {"x": 4}
    assert rows[3]["value"] == ""


def test_smaller_is_better_for_an_error(tmp_path: Path) -> None:
    kept = journal(tmp_path / "run", metric=Metric(name="mae", greater_is_better=False))
    for event in (row(1, "done", 0.9), row(2, "done", 0.5), row(3, "done", float("nan"))):
        kept.emit(event)
    assert [r.trial for r in kept.leaderboard] == [2, 1, 3]


def test_only_the_three_best_scores_keep_their_weights(tmp_path: Path) -> None:
    kept = journal(tmp_path / "run")
    ends = [("done", 0.1), ("done", 0.3), ("failed", None), ("stopped", 0.9), ("done", 0.3), ("done", 0.2)]
    for number, (status, value) in enumerate(ends):
        (kept.trial_folder(number) / "model").mkdir(parents=True)
        wanted = kept.keeps(row(number, status, value))
        kept.emit(row(number, status, value))
        assert wanted == (kept.trial_folder(number) / "model").exists(), number
    left = sorted(int(folder.parent.name) for folder in (tmp_path / "run" / "trials").glob("*/model"))
    assert left == [1, 3, 4]


@pytest.mark.parametrize(("seconds", "left"), [(60.0, [1, 3, 5]), (0.5, [3, 4, 5])])
def test_the_best_of_a_dearer_candidate_keeps_its_weights_before_the_second_of_a_cheap_one(tmp_path: Path, seconds: float, left: list[int]):
    kept = journal(tmp_path / "run")
    told = [row(1, "done", 0.6).model_copy(update={"candidate": "other", "seconds": seconds})]
    told += [row(number, "done", value) for number, value in ((2, 0.5), (3, 0.9), (4, 0.7), (5, 0.8))]
    for one in told:
        (kept.trial_folder(one.trial) / "model").mkdir(parents=True)
        kept.emit(one)
    assert sorted(int(folder.parent.name) for folder in (tmp_path / "run" / "trials").glob("*/model")) == left


def test_what_a_trial_costs_does_not_grow_with_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"worded": 0, "removed": 0}

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            counts[name] += 1
            return function(*args, **named)

        return call

    kept, file = journal(tmp_path / "run"), tmp_path / "run" / "leaderboard.csv"
    monkeypatch.setattr(leaderboard.json, "dumps", counted("worded", json.dumps))
    monkeypatch.setattr(shutil, "rmtree", counted("removed", shutil.rmtree))
    for number in range(1, 201):
        (kept.trial_folder(number) / "model").mkdir(parents=True)
        kept.emit(row(number, "done" if number % 3 else "stopped", number * 37 % 101 / 101))
        if number % 40 == 0:
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
            assert [int(r["rank"]) for r in rows] == list(range(1, number + 1))
            assert [int(r["trial"]) for r in rows] == [r.trial for r in kept.leaderboard]
    assert counts == {"worded": 200, "removed": 197}, "once a trial; three keep their weights"


def test_a_trial_that_runs_again_keeps_the_weights_that_it_writes(tmp_path: Path) -> None:
    kept = journal(tmp_path / "run")
    kept.emit(row(1, "stopped", 0.1))
    kept.emit(TrialStarted(trial=1, candidate="c", hyperparameters={"x": 1}))
    assert len(kept.leaderboard) == 0
    (kept.trial_folder(1) / "model").mkdir(parents=True)
    for number in (2, 3, 4):
        kept.emit(row(number, "done", 0.5))
    assert (kept.trial_folder(1) / "model").is_dir()
    kept.emit(row(1, "done", 0.2))
    assert [r.trial for r in kept.leaderboard] == [2, 3, 4, 1]
    assert not (kept.trial_folder(1) / "model").exists()


def test_every_event_is_a_line_that_reads_back(tmp_path: Path) -> None:
    kept = journal(tmp_path / "run")
    kept.stage("search")
    kept.say("a choice")
    kept.emit(row(1, "done", float("nan")))
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert [EVENTS.validate_json(line).event for line in lines] == ["stage_started", "remark", "trial_finished"]


def test_a_listener_that_fails_is_said_once_and_left_out(tmp_path: Path) -> None:
    heard: list[Event] = []

    class Broken:
        calls = 0

        def event(self, event: Event) -> None:
            self.calls += 1
            raise OSError("no space left")

    broken = Broken()
    kept = journal(tmp_path / "run", broken.event, heard.append)
    kept.say("one")
    kept.say("two")
    assert broken.calls == 1
    texts = [event.text for event in heard if isinstance(event, Remark)]
    assert texts == ["Broken failed and is left out from now on: no space left", "one", "two"]


def test_a_stop_is_seen_with_its_reason_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = journal(tmp_path / "run")
    renamed: list[tuple[str, str]] = []
    replace = Path.replace

    def watched(aside: Path, target: Path) -> Path:
        assert not target.exists()
        renamed.append((target.name, aside.read_text()))
        if len(renamed) == 1:
            kept.stop("the user, in a signal handler, meanwhile")
            target.unlink()
        return replace(aside, target)

    monkeypatch.setattr(Path, "replace", watched)
    kept.stop("the user")
    names = [kept.stop_file.name, kept.stop_file.name, kept.search_stop_file.name]
    said = ["the user", "the user, in a signal handler, meanwhile", "the user, in a signal handler, meanwhile"]
    assert renamed == list(zip(names, said, strict=True))
    assert kept.stop_file.read_text() == "the user"
    kept.close()
    assert not list((tmp_path / "run").glob(".stop*"))


def test_an_output_folder_is_new_or_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "run.json").touch()
    with pytest.raises(SettingsError, match="another run"):
        refuse_taken(tmp_path / "full")
    (tmp_path / "empty").mkdir()
    refuse_taken(tmp_path / "empty")
    assert output_folder(tmp_path / "empty", Path("data.csv")) == tmp_path / "empty"
    monkeypatch.chdir(tmp_path)
    folders = {output_folder(None, Path("some/shop.csv")) for _ in range(4)}
    assert len(folders) == 4, "runs that start in the same second do not share a folder"
    assert all(folder.name.startswith("shop-") for folder in folders)


def test_names_stay_below_their_folder(tmp_path: Path) -> None:
    assert inside(tmp_path, "model/model.safetensors") == tmp_path / "model" / "model.safetensors"
    for name in ("", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "a\\..\\x", "c:x", "a\0b"):
        with pytest.raises(AutoftError, match="is no name of a file below"):
            inside(tmp_path, name)


def test_what_is_no_number_is_null_in_json(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"figures": {"a": float("nan"), "b": [1.0, float("inf")]}})
    assert json.loads((tmp_path / "x.json").read_text()) == {"figures": {"a": None, "b": [1.0, None]}}
