"""A tracker that fails or is slow never slows or ends a run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoft.catalog import Catalog, EventHooks
from autoft.errors import PluginError, SettingsError
from autoft.hookspecs import hookimpl
from autoft.interfaces.events import Event, RunFailedEvent, TrialReported
from autoft.plugins import Loaded
from autoft.tracking import WAITING, Trackers, without_secrets
from autoft_plugins.trackers.json_lines import JsonLines
from tracked_run import left_behind, tell


class Diary:
    """Remembers; breaks where it is told to, and waits for `gate`."""

    name, summary = "diary", "keeps all"

    def __init__(self, breaks: str = "", gate: threading.Event | None = None) -> None:
        self.heard: list[Event] = []
        self.said: list[str] = []
        self._breaks, self._gate = breaks, gate

    def open(self, run_id: str, folder: Path) -> None:
        self._do("open")

    def event(self, event: Event) -> None:
        self._do("event")
        self.heard.append(event)

    def close(self) -> None:
        self._do("close")

    def _do(self, what: str) -> None:
        if self._gate is not None:
            self._gate.wait(60)
        if what == self._breaks:
            raise ConnectionError(f"{what}: https://ada:lovelace@tracker.example refused\nin two lines")
        self.said.append(what)


def test_all_is_told_in_order_and_closed(tmp_path: Path) -> None:
    diary, stream = Diary(), left_behind(tmp_path)
    assert tell(diary, stream) == []
    assert diary.heard == stream
    assert (diary.said[0], diary.said[-1]) == ("open", "close")


@pytest.mark.parametrize("where", ["open", "event", "close"])
def test_one_that_raises_costs_one_line_without_secrets(tmp_path: Path, where: str) -> None:
    diary, other, stream = Diary(where), Diary(), left_behind(tmp_path)
    trackers = Trackers([diary, other], seconds=60)
    warnings = [line for event in stream for line in trackers.notify(event)]
    assert warnings == [
        f"tracker diary failed and is left out from now on: ConnectionError: {where}: https://***@tracker.example refused in two lines"
    ]
    assert other.heard == stream, "the tracker beside it hears all"


def test_one_that_changes_what_it_is_told_changes_nothing_of_the_run(tmp_path: Path) -> None:
    class Changing(Diary):
        def event(self, event: Event) -> None:
            for told in ("hyperparameters", "metrics", "result"):
                getattr(event, told, {}).clear()
            super().event(event)

    changing, beside, stream = Changing(), Diary(), left_behind(tmp_path)
    before = [event.model_dump_json() for event in stream]
    trackers = Trackers([changing, beside], seconds=60)
    assert [warning for event in stream for warning in trackers.notify(event)] == []
    assert len(changing.heard) == len(stream)
    assert [event.model_dump_json() for event in stream] == before == [event.model_dump_json() for event in beside.heard]


def test_a_slow_one_holds_up_nothing_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    gate, stream = threading.Event(), left_behind(tmp_path)
    diary = Diary(gate=gate)
    trackers = Trackers([diary], seconds=0.2)
    flood = [TrialReported(trial=3, progress=50, metrics={}) for _ in range(WAITING + 7)]
    warnings = [line for event in (*stream[:-1], *flood, stream[-1]) for line in trackers.notify(event)]
    (line,) = warnings
    assert line == (
        "tracker diary had not ended 0.2 s after the run (AUTOFT_TRACKER_SECONDS gives it more): "
        f"{len(stream) + len(flood):,} events of the run did not reach it"
    )
    gate.set()


def test_one_that_catches_up_says_what_it_missed(tmp_path: Path) -> None:
    gate, stream = threading.Event(), left_behind(tmp_path)
    diary = Diary(gate=gate)
    trackers = Trackers([diary], seconds=60)
    for event in stream[:-1]:
        trackers.notify(event)
    room = WAITING - len(stream) + 1
    for _ in range(room + 5):
        trackers.notify(TrialReported(trial=3, progress=50, metrics={}))
    gate.set()
    assert trackers.notify(stream[-1]) == ("tracker diary was too slow: 5 events of the run did not reach it",)
    assert diary.heard[-1] == stream[-1], "the end of the run is told whatever was dropped"
    assert diary.said[-1] == "close"


def test_a_run_that_is_left_does_not_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoft.tracking.ABORTED_SECONDS", 0.1)
    gate, stream = threading.Event(), left_behind(tmp_path)
    trackers = Trackers([Diary(gate=gate)], seconds=600)
    trackers.notify(stream[0])
    (line,) = trackers.notify(RunFailedEvent(run_id="reviews-1", status="aborted", reason="KeyboardInterrupt"))
    assert "had not ended 0.1 s after the run" in line
    gate.set()


def test_a_run_that_never_began_opens_nothing(tmp_path: Path) -> None:
    diary = Diary()
    assert tell(diary, [RunFailedEvent(run_id="reviews-1", status="failed", reason="no rows")]) == []
    assert diary.said == []


def test_secrets_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("DATABASE_PASSWORD", "x")
    said = without_secrets("key 0123456789abcdef\nat http://me:word@host/x")
    assert said == "key *** at http://***@host/x"


def catalog_with(*trackers: object) -> Catalog:
    plugin = SimpleNamespace()
    plugin.autoft_register_trackers = hookimpl(lambda: list(trackers))
    return Catalog.of([Loaded("mine", "mine 1.0", plugin)])


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda self: "the database is away", "tracker diary cannot work here: its check returned 'the database is away'"),
        (lambda self: 1 / 0, "tracker diary cannot work here: ZeroDivisionError: division by zero"),
    ],
)
def test_a_check_that_says_so_in_another_way_refuses_the_run_as_well(check: Callable[[Diary], object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Trackers.named(["diary"], catalog_with(type("Asked", (Diary,), {"check": check})()))


def listening(**hooks: Callable[..., None]) -> tuple[EventHooks, ...]:
    plugin = SimpleNamespace(**{f"autoft_{name}": hookimpl(function) for name, function in hooks.items()})
    return Catalog.of([Loaded("mine", "mine 1.0", plugin)]).event_hooks


def test_event_hooks_hear_copies_in_order_in_one_thread_beside_the_run(tmp_path: Path) -> None:
    heard: list[Event] = []
    threads: set[int] = set()

    def hear(event: Event) -> None:
        heard.append(event.model_copy(deep=True))
        threads.add(threading.get_ident())
        getattr(event, "hyperparameters", {}).clear()

    stream = left_behind(tmp_path)
    trackers = Trackers([], seconds=60, hooks=listening(trial_started=hear, trial_finished=hear, run_finished=hear))
    before = [event.model_dump_json() for event in stream]
    assert [warning for event in stream for warning in trackers.notify(event)] == []
    assert heard == [event for event in stream if event.event in ("trial_started", "trial_finished", "run_finished")]
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert [event.model_dump_json() for event in stream] == before


def test_a_hook_that_raises_is_named_once_and_hears_no_more(tmp_path: Path) -> None:
    asked: list[Event] = []

    def angry(event: Event) -> None:
        asked.append(event)
        sys.exit("disk full")

    diary, stream = Diary(), left_behind(tmp_path)
    trackers = Trackers([diary], seconds=60, hooks=listening(trial_started=angry, run_finished=angry))
    warnings = [line for event in stream for line in trackers.notify(event)]
    assert warnings == ["plugin mine (mine 1.0) failed in autoft_trial_started and hears no more events: SystemExit: disk full"]
    assert len(asked) == 1
    assert diary.heard == stream


def test_a_hook_that_hangs_is_given_up_in_the_run_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, called = threading.Event(), threading.Event()

    def hang(event: Event) -> None:
        called.set()
        gate.wait(60)

    stream = left_behind(tmp_path)
    trackers = Trackers([], seconds=600, hooks=listening(run_started=hang))
    assert trackers.notify(stream[0]) == ()
    assert called.wait(60)
    monkeypatch.setenv("AUTOFT_PLUGIN_TIMEOUT", "1e-9")
    assert trackers.notify(stream[1]) == (
        "plugin mine (mine 1.0) did not return from autoft_run_started within 1e-09 s (AUTOFT_PLUGIN_TIMEOUT gives it more)"
        " and hears no more events",
    )
    assert [line for event in stream[2:] for line in trackers.notify(event)] == []
    gate.set()


def test_a_hook_that_is_late_at_the_end_is_named_with_what_it_missed(tmp_path: Path) -> None:
    gate, stream = threading.Event(), left_behind(tmp_path)
    trackers = Trackers([], seconds=0.2, hooks=listening(run_started=lambda event: void(gate.wait(60)), run_finished=void))
    (line,) = [line for event in stream for line in trackers.notify(event)]
    assert line == (
        "plugin mine (mine 1.0) had not returned from autoft_run_started 0.2 s after the run (AUTOFT_TRACKER_SECONDS gives it more): "
        "1 event of the run did not reach it"
    )
    gate.set()


def void(event: object) -> None:
    """A hook that does nothing."""


def test_a_library_that_is_absent_is_said_before_the_run() -> None:
    class Absent(JsonLines):
        name = "absent"
        library, extra = "no_such_library", "absent"

    catalog = catalog_with(Absent(), Diary())
    with pytest.raises(SettingsError, match="needs the library no_such_library") as caught:
        Trackers.named(["absent"], catalog)
    assert caught.value.hint == "pip install 'autoft[absent]'"
    with pytest.raises(PluginError, match="did you mean 'diary'"):
        Trackers.named(["dairy"], catalog)
    assert len(Trackers.named(["diary", "diary"], catalog)._tracking) == 1


def test_the_built_in_ones_are_there() -> None:
    assert set(Catalog.build(kinds=("trackers",)).trackers) == {"jsonl", "mlflow", "tensorboard", "wandb"}
