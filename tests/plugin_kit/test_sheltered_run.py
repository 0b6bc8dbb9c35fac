"""One run beside a plugin whose hook hangs, whose format is refused, and whose calls are shown: the core's own format is served."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from autoft.history import read_events
from autoft.interfaces.events import Remark
from autoft.interfaces.tuner import SearchRequest
from autoft.scaffold import plugin_text
from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]

HANGS = """

@autoft.hookimpl
def autoft_trial_finished(event):
    import time

    time.sleep(600)


@autoft.hookimpl
def autoft_run_finished(event):
    raise AssertionError("it hears no more")
"""


def test_a_run_beside_it(autoft_project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = plugin_text("exporter", "my-format")
    refused = text.replace("    def export(", "    def export(self, *_):\n        raise ExportError('no room')\n\n    def unused(", 1)
    plugin = autoft_project.folder / "meddling.py"
    plugin.write_text(refused + HANGS, encoding="utf-8")
    for name, value in (("AUTOFT_TRACE", "1"), ("AUTOFT_PLUGIN_TIMEOUT", "300"), ("AUTOFT_TRACKER_SECONDS", "0.1")):
        monkeypatch.setenv(name, value)
    requests: list[SearchRequest] = []
    monkeypatch.setattr("autoft.steps.search.SearchRequest", lambda **given: requests.append(SearchRequest(**given)) or requests[-1])
    started = time.monotonic()
    run = autoft_project.run(plugin, exporter="my-format")
    assert time.monotonic() - started < 300, "nobody waits for the hook"
    baseline = next(row for row in run.leaderboard if row.stage == "baselines")
    assert requests[0].tried == (baseline,)
    assert baseline.value is not None
    assert requests[0].spaces["linear"].default != baseline.hyperparameters
    assert [one["name"] for one in run.result["formats"]] == ["onnx"]
    (line,) = run.result["refused"]
    assert line == "no my-format: no room"
    events = read_events(run.folder / "events.jsonl")
    (said,) = [one.text for one in events if isinstance(one, Remark) and "autoft_trial_finished" in one.text]
    assert said.startswith("plugin meddling.py (file meddling.py ")
    assert "had not returned from autoft_trial_finished 0.1 s after the run" in said
    shown = {tuple(line.split("  ")[1:3]) for line in capsys.readouterr().err.splitlines() if line.startswith("trace ")}
    giver = next(who for what, who in shown if what == "Exporter.export")
    assert giver.startswith("my-format, meddling.py (file meddling.py ")
    assert any(what == "Tuner.search" for what, _ in shown)
    assert Path(run.bundle / "onnx" / "model.onnx").is_file()
