"""What the user sees, on a terminal, in a log, with --json."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from autoft.console import Screen, show_error, show_leaderboard, show_result, show_runs
from autoft.console.board import board as live_board
from autoft.console.output import as_json
from autoft.errors import AutoftError, SettingsError
from autoft.interfaces.events import Remark, RunFinished, RunStarted, TrialFinished, TrialReported, TrialStarted
from autoft.leaderboard import Leaderboard
from autoft.progress import Progress, duration, number, plain, short
from stream_of_events import POINT, RESULT, T0, events, finished

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def board(stream) -> Leaderboard:
    found = Leaderboard(Progress().metric)
    for event in stream:
        if isinstance(event, TrialFinished):
            found.add(event)
    return found


def test_a_log_gets_one_plain_line_for_each_thing_that_happens(tmp_path):
    out = io.StringIO()
    with Screen(stream=out) as screen:
        for event in events(tmp_path / "run"):
            screen.event(event)
    said = out.getvalue()
    assert not CONTROL.search(said)
    lines = said.splitlines()
    assert lines[0] == "  0:00  Run reviews-1: text-classification on reviews.csv, judged by f1_macro, budget 4m 00s"
    assert "  0:20  trial 1 done: linear f1_macro 0.8000 in 12s - best so far" in lines
    assert any(
        line.endswith("trial 2 stopped at 33%: full:all-MiniLM-L6-v2 f1_macro 0.7000 in 12s (stopped by the scheduler)") for line in lines
    )
    assert any("trial 3 done" in line and line.endswith("best so far") for line in lines)
    assert any("Warning: trial 4 is the last one" in line for line in lines)
    assert any("trial 4 failed: full:all-MiniLM-L6-v2 in 12s (TrialError: out of memory)" in line for line in lines)
    assert len(lines) == len(events(tmp_path / "run"))


def test_reports_that_follow_quickly_are_left_out_of_a_log_unless_verbose(tmp_path):
    for verbose, expected in ((False, 1), (True, 20)):
        out = io.StringIO()
        screen = Screen(verbose=verbose, stream=out)
        screen.event(events(tmp_path / "run")[0])
        screen.event(TrialStarted(trial=1, candidate="a", hyperparameters={}, time=T0))
        for second in range(20):
            screen.event(TrialReported(trial=1, progress=second, metrics={"f1_macro": 0.5}, time=T0 + second * 0.7))
        assert out.getvalue().count("trial 1 at") == expected


def test_json_leaves_standard_output_to_the_result(tmp_path, capsys):
    screen = Screen(json=True)
    with screen:
        sys.stdout.write("a library that talks")
        for event in events(tmp_path / "run"):
            screen.event(event)
    screen.show_result(RESULT, [])
    captured = capsys.readouterr()
    assert json.loads(captured.out) == RESULT
    assert "trial 3 done" in captured.err
    assert "a library that talks" in captured.err


def many(tmp_path: Path) -> Progress:
    progress = Progress()
    for event in events(tmp_path / "run")[:10]:
        progress.take(event)
    for k in range(10, 210):
        progress.take(TrialStarted(trial=k, candidate="full:paraphrase-MiniLM-L3-v2", hyperparameters=POINT, time=T0))
    for k in range(13, 210):
        status = "stopped" if k % 2 else "done"
        progress.take(finished(k, "frozen:all-MiniLM-L6-v2", 0.5 + k / 1000, status=status, progress=33 if k % 2 else 100))
    return progress


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_live_table_stays_readable_with_hundreds_of_trials(tmp_path, width):
    progress = many(tmp_path)
    console = Console(file=io.StringIO(), width=width, height=30, force_terminal=False, record=True)
    console.print(live_board(progress, console, T0 + 100))
    lines = console.export_text(clear=False).splitlines()
    svg = console.export_svg(title="autoft")
    assert len(lines) <= 24
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert re.search(r"★ +1 linear", text)
    assert "0.8000" in text
    assert "50%" in text
    assert "203 trials in all: 5 running, 99 done, 99 stopped" in text
    assert "2m 20s left" in text
    assert "best f1_macro 0.8000 (trial 1)" in text
    if width >= 80:
        assert re.search(r"full:all-mpnet-base-v2 +lr 1.2e-4", text)
    assert "linear" in svg


def test_the_board_counts_every_trial(tmp_path):
    progress = many(tmp_path)
    assert progress.counts() == {"running": 5, "done": 99, "stopped": 99}
    assert [t.number for t in progress.running()] == [2, 3, 10, 11, 12]
    assert [t.number for t in progress.ranked()[:3]] == [1, 209, 208]
    assert progress.ranked()[1].status == "stopped"  # by score alone, as the winner is chosen


def test_a_metric_where_less_is_better_is_read_from_the_run(tmp_path):
    stream = events(tmp_path)
    facts = {"started": T0 - 30, "problem": {"metric": {"name": "mae", "greater_is_better": False}}}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    progress = Progress()
    progress.take(stream[0].model_copy(update={"metric": "mae"}))
    for k, value in ((1, 0.5), (2, 0.2), (3, 0.9)):
        progress.take(finished(k, "x", value))
    assert progress.best().number == 2
    assert progress.left(T0) == 210


def test_odd_input_never_ends_the_run(tmp_path):
    out = io.StringIO()
    screen = Screen(stream=out)
    odd = [
        object(),
        None,
        Remark(text="\x1b[31mred\x1b[0m [bold]not markup[/bold] [/] \x07\r\n\u202e turned 🙂"),
        TrialReported(trial=77, progress=3, metrics={"f1_macro": float("nan"), "x": float("inf")}),
        TrialStarted(trial=1, candidate="[/]", hyperparameters={"[x]": [1, {"a": None}], "lr": float("nan"), "big": 1e300}),
        finished(1, "[/]", float("nan"), hyperparameters={"a": object()}),
        finished(2, "", None, status="failed", reason="\x00\n" * 50, seconds=float("nan")),
        RunStarted(run_id="", folder="/nowhere\x00", data="", task="", candidates=(), budget=float("inf"), metric=""),
        RunFinished(run_id="", status="done", result={}),
    ]
    with screen:
        for event in odd:
            screen.event(event)
        screen.renderable()
    said = out.getvalue()
    assert not CONTROL.search(said)
    assert "\u202e" not in said
    assert "[31mred [0m [bold]not markup[/bold] [/]" in said
    screen.show_result({}, [])
    screen.show_result({"verdict": None, "verified": 3, "columns": None}, [finished(1, "[red]", float("nan"))], tmp_path)


def test_a_reader_that_left_does_not_end_the_run(tmp_path):
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    screen = Screen(stream=Gone())
    for event in events(tmp_path / "run"):
        screen.event(event)


def test_a_narrow_encoding_is_no_trouble(tmp_path):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    screen = Screen(stream=out)
    screen.event(events(tmp_path / "run")[0])
    screen.event(Remark(text="评论 – café"))
    screen.show_result(RESULT, board(events(tmp_path / "run")))
    out.flush()
    assert b"?? ? caf?" in raw.getvalue()
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    assert json.loads(as_json({"verdict": "评论"}, out)) == {"verdict": "评论"}


_ON_A_TERMINAL = """
import sys, pathlib, time
sys.path.insert(0, {tests!r})
from stream_of_events import RESULT, events
from autoft.console import Screen
with Screen() as screen:
    for place, event in enumerate(events(pathlib.Path({folder!r}), time=time.time())):
        screen.event(event)
        time.sleep(0.6 if place == 9 else 0.02)  # time for a refresh while two trials run
screen.show_result(RESULT, [])
"""


def _on_a_terminal(tmp_path: Path, **environment: str) -> str:
    master, slave = pty.openpty()
    code = _ON_A_TERMINAL.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path / "run"))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
    env = {**kept, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30", "PYTHONIOENCODING": "utf-8", **environment}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, stdin=subprocess.DEVNULL, env=env)
    os.close(slave)
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(master, 65536):
                parts.append(part)
        except OSError:  # how Linux tells of the end
            return

    reader = threading.Thread(target=read)
    reader.start()
    assert process.wait(60) == 0, b"".join(parts)
    reader.join(10)
    os.close(master)
    return b"".join(parts).decode()


def test_a_terminal_gets_a_live_table_with_remarks_above(tmp_path):
    said = _on_a_terminal(tmp_path)
    assert "\x1b[" in said
    assert "━" in said
    assert "Warning: " in said
    assert "text is read from review" in said
    assert "Verdict:" in re.sub(r"\x1b\[[0-9;]*m", "", said)


def test_no_color_is_honoured(tmp_path):
    colours = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7]|38|4[0-7])(?:;[0-9;]*)?m")
    assert colours.search(_on_a_terminal(tmp_path))
    assert not colours.search(_on_a_terminal(tmp_path, NO_COLOR="1"))


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    assert "trial 3 done" in _on_a_terminal(tmp_path, TERM="dumb")


def test_the_summary_says_what_was_left_where_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    show_result(RESULT, board(events(tmp_path / "my run")), tmp_path / "my run", stream=out)
    said = out.getvalue()
    assert "Verdict: full:all-mpnet-base-v2 beats the baseline linear" in said
    assert "Proof: the exported model gives the same answers as the trained one on 100 rows and 15 combinations" in said
    assert "autoft predict 'my run/bundle' \"a text\"" in said
    assert "autoft serve 'my run/bundle'" in said
    assert "'my run/report.html'" in said
    ranks = [line.split()[1] for line in said.splitlines() if re.match(r"\s+\d ", line)]
    assert ranks == ["full:all-mpnet-base-v2", "linear", "full:all-MiniLM-L6-v2", "full:all-MiniLM-L6-v2"]
    refused = io.StringIO()
    show_result({**RESULT, "verified": {"passed": False}}, [], stream=refused)
    assert "did NOT give the same answers" in refused.getvalue()


def test_the_summary_names_the_format_and_what_it_stands_in_for():
    out = io.StringIO()
    why = "no gz-npz: the export was refused by the proof"
    show_result({**RESULT, "formats": [{"name": "onnx"}], "refused": [why]}, [], stream=out, width=200)
    assert "Proof: the exported model (onnx) gives the same answers as the trained one on 100 rows" in out.getvalue()
    assert f"Format: onnx is served; {why}" in out.getvalue()


def test_a_heading_of_the_leaderboard_is_not_cut():
    stream = io.StringIO()
    show_leaderboard([finished(0, "linear", 0.5)], "f1_macro", stream=stream)
    assert stream.getvalue().splitlines()[1].split()[:2] == ["rank", "candidate"]


def test_the_leaderboard_fits_eighty_columns():
    out = io.StringIO()
    rows = [finished(k, "full:paraphrase-multilingual-MiniLM-L12-v2", 0.9 - k / 100) for k in range(1, 30)]
    show_leaderboard(rows, "f1_macro", stream=out, width=80)
    lines = out.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["rank", "candidate", "settings", "status", "f1_macro", "time"]
    assert "0.8900" in lines[2]
    assert lines[-1] == "and 19 more in leaderboard.csv"


def test_the_leaderboard_says_how_far_a_stopped_trial_got():
    out = io.StringIO()
    rows = [finished(1, "linear", 0.665), finished(4, "mine", 0.7102, status="stopped", progress=33)]
    show_leaderboard(rows, "f1_macro", stream=out, width=80)
    lines = out.getvalue().splitlines()
    assert "done " in lines[2]
    assert "stopped 33%" in lines[3]
    assert all(len(line) <= 80 for line in lines)


def test_an_error_shows_its_message_and_its_hint():
    out = io.StringIO()
    show_error(SettingsError('2 settings cannot be used:\n  --budget is "[red]x"\n  b', hint="autoft run --help"), out)
    assert out.getvalue() == 'Error: 2 settings cannot be used:\n  --budget is "[red]x"\n  b\nHint: autoft run --help\n'
    out = io.StringIO()
    show_error(AutoftError("\x1b]0;title\x07"), out)
    assert not CONTROL.search(out.getvalue())


def test_runs_are_listed():
    out = io.StringIO()
    show_runs([{"run": "a-1", "started": "2026-01-02 03:04", "status": "aborted", "time": "", "best": "killed"}], out)
    assert out.getvalue().splitlines()[1].split() == ["a-1", "2026-01-02", "03:04", "aborted", "killed"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.2e-4, "1.2e-4"),
        (1e-5, "1e-5"),
        (0.01, "0.01"),
        (0.1, "0.1"),
        (3.0, "3"),
        (16, "16"),
        (True, "True"),
        ("relu", "relu"),
        (1234567.8, "1.23e6"),
    ],
)
def test_numbers_are_short(value, said):
    assert number(value) == said


def test_words():
    assert short({"learning_rate": 1e-4, "batch_size": 16, "own": "a\nb"}) == "lr 1e-4, batch 16, own a b"
    assert [duration(s) for s in (0, 0.4, 12.4, 65, 3720, float("nan"))] == ["0s", "0.4s", "12s", "1m 05s", "1h 02m", "-"]
    assert plain("नमस्ते 👩‍💻") == "नमस्ते 👩‍💻"
