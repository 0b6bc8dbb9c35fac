"""What is left of a run that was cut off, and how its folder is taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoft.errors import InputError
from autoft.history import BEFORE_THE_END, History, mend, read_events
from autoft.interfaces.events import (
    Event,
    Remark,
    RunFinished,
    RunResumed,
    RunStarted,
    StageStarted,
    StopRequested,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from autoft.interfaces.problem import Metric
from autoft.journal import KEPT, Journal
from autoft.progress import STAGES
from autoft.store import liveness

FACTS = {"folder": "out", "data": "d.csv", "task": "t", "candidates": ("a",), "metric": "f1_macro", "run_id": "out-1"}


def began(at: float = 5.0) -> RunStarted:
    return RunStarted(**FACTS, budget=100.0, time=at)


def went_on(at: float, *, started: float, spent: float, budget: float | None = 100.0) -> RunResumed:
    return RunResumed(**FACTS, budget=budget, time=at, started=started, spent=spent)


def start(number: int, stage: str = "search", at: float = 10.0) -> TrialStarted:
    return TrialStarted(trial=number, candidate="a", hyperparameters={"x": number}, stage=stage, time=at)


def report(number: int) -> TrialReported:
    return TrialReported(trial=number, progress=50, metrics={"f1_macro": 0.5})


def end(number: int, value: float | None = 0.5, status: str = "done", stage: str = "search", at: float = 20.0) -> TrialFinished:
    fields = {"trial": number, "candidate": "a", "status": status, "progress": 100, "metrics": {}, "value": value, "seconds": 1.5}
    return TrialFinished.model_validate({**fields, "hyperparameters": {"x": number}, "stage": stage, "time": at, "busy_seconds": 2.0})


def history(*events: Event, folder: Path = Path("out")) -> History:
    return History(folder, {"run_id": "out-1", "started": 2.0, "settings": {"budget": 100.0}}, events)


def write(folder: Path, *events: Event, tail: bytes = b"") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"run_id": "out-1", "started": 2.0, "settings": {"budget": 100.0}}))
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(event.model_dump_json().encode() + b"\n" for event in events) + tail)
    return path


@pytest.mark.parametrize("tail", [b"", b'{"event": "rem', b"\0\0\0\0", b'{"event": "remark"\n\0\0\0\n\0', "é".encode()[:1]])
def test_half_a_line_at_the_end_is_left_out_and_taken_away(tmp_path: Path, tail: bytes) -> None:
    events = [began(), start(2), end(2)]
    path = write(tmp_path, *events, tail=tail)
    assert read_events(path) == events
    mend(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(Remark(text="more").model_dump_json() + "\n")
    assert [event.event for event in read_events(path)] == ["run_started", "trial_started", "trial_finished", "remark"]


def test_every_way_to_cut_a_stream_leaves_whole_events(tmp_path: Path) -> None:
    events = [began(), start(2), report(2), end(2, float("nan"))]
    whole = write(tmp_path, *events).read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    path = tmp_path / "events.jsonl"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        before = read_events(path)
        assert len(before) == sum(place <= cut for place in ends)
        mend(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(Remark(text="more").model_dump_json() + "\n")
        assert list(map(repr, read_events(path)[:-1])) == list(map(repr, before)), f"cut off after {cut} bytes"


def test_a_broken_line_with_others_behind_it_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, began())
    path.write_text("no event\n" + path.read_text())
    with pytest.raises(InputError, match="line 1 is no event"):
        read_events(path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of a run"):
        History.read(tmp_path)
    (tmp_path / "run.json").touch()
    with pytest.raises(InputError, match="before its settings were written"):
        History.read(tmp_path)


def test_the_time_spent_is_that_of_all_sessions_and_of_nothing_between_them() -> None:
    assert history().spent == 0
    first = [began(5.0), start(2, at=12.0)]
    assert history(*first).spent == 10.0
    second = [went_on(1005.0, started=1000.0, spent=10.0), end(2, at=1030.0)]
    assert history(*first, *second).spent == 40.0
    assert history(*first, *second, went_on(2001.0, started=2000.0, spent=40.0)).spent == 41.0


def test_the_budget_is_that_of_the_last_session() -> None:
    assert history().budget == 100.0
    assert history(began(), went_on(9, started=8, spent=1, budget=None)).budget is None


def test_a_run_with_a_result_has_ended_until_it_is_resumed() -> None:
    done = RunFinished(run_id="out-1", status="done", result={})
    assert history(began()).ended is None
    assert history(began(), done, Remark(text="x")).ended == done
    assert history(began(), done, went_on(9, started=8, spent=1)).ended is None


@pytest.mark.parametrize(
    ("stages", "baselined", "searched"),
    [
        ([], False, False),
        (["baselines"], False, False),
        (["baselines", "ranking"], True, False),
        (["baselines", "search"], True, False),
        (["baselines", "search", "confirmation"], True, True),
        (["baselines", "search", "confirmation", RunResumed, "refit"], True, True),
        (["baselines", "search", "confirmation", RunResumed, "refit", StopRequested], True, True),
        (["baselines", "search", StopRequested, "confirmation", "export and proof"], True, False),
        (["baselines", "search", StopRequested, "confirmation", RunResumed, "search"], True, False),
        (["baselines", "search", StopRequested, "confirmation", RunResumed, "search", "confirmation"], True, True),
    ],
)
def test_which_stages_are_done_with(stages: list[object], baselined: bool, searched: bool) -> None:
    made = {RunResumed: went_on(9, started=8, spent=1), StopRequested: StopRequested(reason="stopped by the user")}
    events = [made[one] if isinstance(one, type) else StageStarted(stage=str(one)) for one in stages]  # type: ignore[index]
    found = history(began(), *events)
    assert (found.baselined, found.searched) == (baselined, searched)


def test_the_stages_before_the_end_are_the_first_of_those_that_are_shown() -> None:
    assert tuple(STAGES)[: len(BEFORE_THE_END)] == BEFORE_THE_END


def test_a_baseline_that_ended_is_not_fitted_again() -> None:
    assert not history(began(), start(1, "baselines")).baselined
    assert history(began(), start(1, "baselines"), end(1, stage="baselines")).baselined


def test_what_the_user_cut_off_in_a_run_that_was_left_starts_again_and_keeps_its_row_till_then() -> None:
    asked = StopRequested(reason="stopped by the user")
    found = history(began(), start(2), end(2), start(3), asked, end(3, status="stopped"), start(4))
    assert [row.trial for row in found.rows] == [2, 3]
    assert [(event.event, event.trial) for event in found.of_search()] == [
        ("trial_started", 2),
        ("trial_finished", 2),
        ("trial_started", 3),
        ("trial_started", 4),
    ]
    on = history(*found.events, went_on(9, started=8, spent=1), start(3), end(3, status="stopped"))
    assert [event.trial for event in on.of_search() if isinstance(event, TrialFinished)] == [2, 3]


def test_baselines_are_no_part_of_a_searchs_history() -> None:
    found = history(began(), start(1, "baselines"), end(1, stage="baselines"), start(2))
    assert found.of_search() == (found.events[-1],)


def resumed(folder: Path, *events: Event, tail: bytes = b"") -> tuple[Journal, list[Event]]:
    write(folder, *events, tail=tail)
    heard: list[Event] = []
    kept = Journal(folder, Metric(name="f1_macro"), [heard.append], past=History.read(folder))
    kept.go_on()
    return kept, heard


def test_a_folder_is_taken_up_as_it_was_left(tmp_path: Path) -> None:
    for number in range(1, 8):
        (tmp_path / "trials" / str(number) / "model").mkdir(parents=True)
        (tmp_path / "trials" / str(number) / "model.new").mkdir()
    for left in (".stop", ".stop.0123abcd.new", ".stop-search", "result.json"):
        (tmp_path / left).touch()
    for left in ("cache", "ray", "bundle.new"):
        (tmp_path / left).mkdir()
    ends = [end(1, 0.1, stage="baselines"), end(2, 0.3), end(3, 0.9), end(4, 0.7), end(5, None, "failed"), end(6, 0.8)]
    events = [began(), *(one for row in ends for one in (start(row.trial, row.stage), row)), start(7)]
    kept, heard = resumed(tmp_path, *events, tail=b'{"event": "trial_fin')
    assert heard == []
    assert kept.run_id == "out-1"
    assert kept.busy_seconds == 12.0
    assert [row.trial for row in kept.leaderboard] == [3, 6, 4, 2, 1, 5]
    assert (tmp_path / "leaderboard.csv").read_text().count("\n") == 7
    assert sorted(folder.parent.name for folder in tmp_path.glob("trials/*/model")) == ["1", "3", "6"]
    assert KEPT == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "events.jsonl", "leaderboard.csv", "run.json", "trials"]
    assert not list(tmp_path.glob("trials/*/model.new"))
    assert not (tmp_path / "trials" / "7").exists(), "it starts from nothing"
    assert read_events(tmp_path / "events.jsonl") == events


def test_a_trial_that_starts_again_has_no_row_until_it_ends(tmp_path: Path) -> None:
    kept, heard = resumed(tmp_path, began(), start(2), StopRequested(reason="x"), end(2, 0.4, "stopped"))
    assert [row.trial for row in kept.leaderboard] == [2]
    kept.emit(start(2))
    assert len(kept.leaderboard) == 0
    kept.emit(end(2, 0.6))
    assert [(row.trial, row.value) for row in kept.leaderboard] == [(2, 0.6)]
    assert [event.event for event in heard] == ["trial_started", "trial_finished"]


def test_what_is_not_begun_again_has_a_row_all_the_same(tmp_path: Path) -> None:
    kept, heard = resumed(tmp_path, began(), start(2), end(2), start(3), start(4))
    kept.emit(start(4))
    kept.emit(end(4))
    kept.end_left_over("no time")
    assert {row.trial: (row.status, row.reason) for row in kept.leaderboard} == {
        2: ("done", ""),
        3: ("stopped", "no time"),
        4: ("done", ""),
    }
    kept.end_left_over("no time")
    assert len(heard) == 3


_HOLDER = """
import sys
from pathlib import Path
from autoft.store.liveness import {name}
folder = Path(sys.argv[1])
{act}
print("on", flush=True)
sys.stdin.read()
"""
_HOLDS = _HOLDER.format(name="held", act="held_by_me = held(folder); held_by_me.__enter__()")
_ATTENDS = _HOLDER.format(name="attend", act="file = attend(folder)")


def another(code: str, folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


def test_a_run_that_is_alive_is_left_alone_and_one_that_was_killed_is_not(tmp_path: Path) -> None:
    process = another(_HOLDS, tmp_path)
    with pytest.raises(InputError, match=f"is alive: process {process.pid} on"), liveness.held(tmp_path):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with liveness.held(tmp_path):
        assert (tmp_path / liveness.ALIVE).exists()
    assert not (tmp_path / liveness.ALIVE).exists()


def test_workers_of_the_session_before_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PATIENCE", 0.3)
    process = another(_ATTENDS, tmp_path)
    with liveness.attend(tmp_path), pytest.raises(InputError, match="still at work"):
        liveness.await_workers(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    liveness.await_workers(tmp_path)
