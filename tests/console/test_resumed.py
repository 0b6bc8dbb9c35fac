"""What is shown of a run that goes on in another process."""

from __future__ import annotations

import io
from pathlib import Path

import stream_of_events as stream
from autoft.console import Screen
from autoft.interfaces.events import Event, RunResumed, StageStarted
from autoft.progress import Progress
from autoft.report.data import ReportData, completed


def cut_off(folder: Path) -> tuple[list[Event], RunResumed]:
    """Events of a run that was cut off while trial 3 ran, and how it goes on an hour later."""
    before = stream.events(folder)[:11]
    facts = before[0].model_dump(exclude={"event", "time"})
    at = stream.T0 + 3600
    resumed = RunResumed(**facts, time=at + 4, started=at, spent=50.0)
    lines = [event.model_dump_json() + "\n" for event in [*before, resumed]]
    (folder / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    return before, resumed


def test_a_screen_that_hears_only_the_resumption_knows_what_was_before(tmp_path: Path) -> None:
    before, resumed = cut_off(tmp_path)
    heard, alone = Progress(), Progress()
    for event in [*before, resumed]:
        heard.take(event)
    alone.take(resumed)
    assert alone == heard
    assert sorted(alone.trials) == [1, 2], "trial 3 had not ended"
    assert alone.counts() == {"done": 1, "stopped": 1}
    assert alone.left(resumed.started + 10) == 240.0 - 60.0


def test_one_line_says_how_it_goes_on(tmp_path: Path) -> None:
    _, resumed = cut_off(tmp_path)
    out = io.StringIO()
    with Screen(stream=out, live=False) as screen:
        screen.event(resumed)
        screen.event(stream.finished(3, "x", 0.95).model_copy(update={"time": resumed.started + 20}))
    lines = out.getvalue().splitlines()
    assert lines[0] == "  0:54  Run reviews-1 goes on: 2 trials had ended, 3m 10s of the budget left"
    assert lines[1].startswith("  1:10  trial 3 done: x f1_macro 0.9500")
    assert lines[1].endswith("best so far")


def test_the_time_between_two_sessions_is_no_stages(tmp_path: Path) -> None:
    before, resumed = cut_off(tmp_path)
    on = [StageStarted(stage=name, time=resumed.time + at) for name, at in (("search", 1), ("confirmation", 31), ("test", 41))]
    lines = [event.model_dump_json() + "\n" for event in [*before, resumed, *on]]
    (tmp_path / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    stages = completed(ReportData(), tmp_path, "f1_macro").stages
    assert stages is not None
    assert [(stage.name, stage.seconds) for stage in stages] == [
        ("baselines", 15.0), ("search", 25.0), ("search", 30.0), ("confirmation", 10.0), ("test", 0.0),
    ]  # fmt: skip
