"""Ctrl-C: once to finish, twice to leave, whatever a library does at that moment."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from autoft.interfaces.events import Event, StopRequested
from autoft.interfaces.problem import Metric
from autoft.journal import Journal
from autoft.process import interrupts


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    assert threading.current_thread() is threading.main_thread(), "signals reach no other"
    made = Journal(tmp_path / "run", Metric(name="f1_macro"), [])
    made.start({"schema": 1})
    return made


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def press_at_once(times: int) -> None:
    """Nothing of Python runs in between, as while a library holds the interpreter: it calls the handler once."""
    list(map(ctypes.CDLL(None).kill, [os.getpid()] * times, [signal.SIGINT] * times))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_press_asks_to_finish(journal: Journal, number: int) -> None:
    heard: list[Event] = []
    journal._listeners.append(heard.append)
    with interrupts(journal):
        press(number)
        time.sleep(0.2)
    assert journal.stopping
    assert sum(isinstance(event, StopRequested) for event in heard) == 1


def test_two_presses_leave(journal: Journal) -> None:
    with interrupts(journal):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        time.sleep(0.2)  # and no third is made up


def test_two_presses_that_a_library_kept_are_two(journal: Journal) -> None:
    with interrupts(journal):
        with pytest.raises(KeyboardInterrupt):
            press_at_once(2)
        time.sleep(0.2)
    assert journal.stopping


def test_one_press_that_a_library_kept_is_one(journal: Journal) -> None:
    with interrupts(journal):
        press_at_once(1)
        time.sleep(0.2)
    assert journal.stopping


def test_an_import_is_not_left_in_the_middle(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_imported.py").write_text(
        "import os, signal, time\nfor _ in range(3):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(0.1)\nwhole = True\n"
    )

    def use() -> None:
        importlib.import_module("half_imported")
        time.sleep(60)

    with interrupts(journal):
        with pytest.raises(KeyboardInterrupt):
            use()
        assert sys.modules.pop("half_imported").whole
        time.sleep(0.2)


def test_what_is_imported_itself_is_left_at_once(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "starts_a_run.py").write_text(
        "import os, signal, sys, time\nfrom autoft.process import interrupts\n"
        "with interrupts(sys.journal):\n"
        "    for _ in range(2):\n        os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(10)\n"
    )
    monkeypatch.setattr(sys, "journal", journal, raising=False)
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("starts_a_run")


def test_what_a_library_listens_to_is_no_press_less(journal: Journal) -> None:
    with interrupts(journal):
        for _ in range(2):
            signal.set_wakeup_fd(-1)
            if journal.stopping:
                with pytest.raises(KeyboardInterrupt):
                    press()
            else:
                press()


def test_what_listened_before_listens_again(journal: Journal) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    listening = signal.set_wakeup_fd(-1)
    with pytest.raises(KeyboardInterrupt), interrupts(journal):
        press_at_once(2)
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(listening) == -1
