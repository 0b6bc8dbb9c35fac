"""Trackers and hooks of events with one thing wrong: the check finds it, and says which rule it is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autoft.scaffold.templates.tracker.plugin as tracker_plugin
from autoft.errors import SettingsError
from autoft.hookspecs import hookimpl
from autoft.scaffold.templates.tracker.plugin import CsvTracker
from autoft.testing import ContractBroken, check_hooks, check_tracker
from broken import but, finds

ROOT = Path(__file__).parents[2]


TRACKERS: dict[str, Callable[..., Any]] = {
    "event raised SystemExit: 3": lambda self, event: sys.exit(3),
    "event raised AttributeError": lambda self, event: event.trial,
    "it prints 'heard": lambda self, event: print("heard"),  # noqa: T201
    "it changes 'run.json'|it changes \\['run.json'\\]": lambda self, event: (self._path.parent / self._run / "run.json").write_text("{}"),
}


@pytest.mark.parametrize("sentence", TRACKERS)
def test_trackers(sentence: str) -> None:
    finds(lambda: check_tracker(but(CsvTracker, event=TRACKERS[sentence])), sentence)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda self: "the database is away", "check returns 'the database is away': one that cannot work raises"),
        (lambda self: 1 / 0, "check raised ZeroDivisionError"),
    ],
)
def test_a_tracker_that_says_in_another_way_that_it_cannot_work(check: Callable[..., Any], sentence: str) -> None:
    finds(lambda: check_tracker(but(CsvTracker, check=check)), sentence)


def away(self: Any) -> None:
    raise SettingsError("the database is away")


def test_a_tracker_may_say_that_it_cannot_work_here() -> None:
    check_tracker(but(CsvTracker, check=away))


def hooks(**functions: Any) -> Any:
    return SimpleNamespace(**{f"autoft_{name}": hookimpl(function) for name, function in functions.items()})


def test_hooks_of_events_are_called_with_all_that_runs_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    found = check_hooks(hooks(run_resumed=lambda event: heard.append(event.run_id), run_failed=lambda event: heard.append(event.reason)))
    assert found == ("autoft_run_resumed", "autoft_run_failed")
    assert heard == ["checked-2", "no trial gave a model"]
    assert check_hooks(tracker_plugin) == ()
    with pytest.raises(ContractBroken, match=r"autoft_trial_finished raised AttributeError: .* in a run it would hear no more") as caught:
        check_hooks(hooks(trial_finished=lambda event: event.score))
    assert caught.value.home == "autoft.hookspecs.Hooks.autoft_trial_finished"
    assert (ROOT / caught.value.page).is_file()
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "0.1")
    with pytest.raises(ContractBroken, match=r"autoft_run_started did not return within 0.1 s"):
        check_hooks(hooks(run_started=lambda event: threading.Event().wait(60)))


def test_hooks_write_into_the_folder_of_a_run_and_leave_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(event: Any) -> None:
        assert Path(event.folder).is_absolute()
        (Path(event.folder) / "note.txt").write_text(event.run_id)
        (Path(event.folder).parent / f"beside-{event.run_id}.txt").write_text(event.run_id)
        Path("record.txt").write_text(event.run_id)
        written.append(Path(event.folder) / "note.txt")

    written: list[Path] = []
    monkeypatch.chdir(tmp_path)
    assert check_hooks(hooks(run_started=started, run_resumed=started)) == ("autoft_run_started", "autoft_run_resumed")
    assert [path.parent.name for path in written] == ["checked-1", "checked-2"]
    assert not any(path.exists() for path in written)
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path
