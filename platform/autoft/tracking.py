"""Trackers and event hooks beside a run: each plugin behind a bounded queue in a thread of its own, so that none can slow or end it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from autoft.catalog import Catalog, EventHooks
from autoft.data.names import counted
from autoft.errors import AutoftError, SettingsError
from autoft.guard import TIMEOUT_VARIABLE, time_limit
from autoft.hookspecs import PROJECT
from autoft.interfaces.events import Event, Remark, RunFailedEvent, RunFinished, RunResumed, RunStarted, TrialReported
from autoft.interfaces.tracker import Checked, Tracker

WAITING = 2_000
"""Events that a tracker may be behind before remarks and evaluations are dropped; for all others there is room for as many again."""

CLOSE_SECONDS = 30.0
HOOK_SECONDS = 10.0
ABORTED_SECONDS = 3.0
CLOSE_VARIABLE = "AUTOFT_TRACKER_SECONDS"
"""How long all trackers together may take to end once the run has ended, all event hooks, and both once the user left it; the variable says
otherwise."""

_SECRET_NAMES = re.compile(r"KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL", re.I)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_FEWEST_LETTERS = 6


def without_secrets(text: str) -> str:
    """`text` on one line, without users and passwords of addresses, and without what environment variables with telling names hold."""
    said = _USERINFO.sub("***", " ".join(text.split()))
    for name, value in os.environ.items():
        if len(value) >= _FEWEST_LETTERS and _SECRET_NAMES.search(name):
            said = said.replace(value, "***")
    return said


class Tracking:
    """One tracker and its thread. `put` never waits; what went wrong is the sentence `failure`, and nothing more is heard then."""

    seconds = CLOSE_SECONDS

    def __init__(self, tracker: Tracker, who: str = "") -> None:
        self.who = who or f"tracker {tracker.name}"
        self.failure: str | None = None
        self._tracker = tracker
        self._waiting: deque[Event] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._left = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Hand it over, or count it as dropped where the tracker is too far behind."""
        if self.failure is not None:
            return
        if self._thread is None:
            if not isinstance(event, RunStarted | RunResumed):
                return
            self._thread = threading.Thread(target=self._work, args=(event.run_id, Path(event.folder)), name=self.who, daemon=True)
            self._thread.start()
        with self._ready:
            if len(self._waiting) >= (WAITING if isinstance(event, TrialReported | Remark) else 2 * WAITING):
                self._dropped += 1
                return
            self._waiting.append(event)
            self._ready.notify()

    def close(self) -> None:
        """Nothing more comes."""
        with self._ready:
            self._closing = True
            self._ready.notify()

    def left(self, deadline: float) -> bool:
        """Wait until the tracker has ended, at most until `deadline` on `time.monotonic()`."""
        if self._thread is None:
            return True
        if not self._left:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._ready:
            self._left = self._left or self._thread.is_alive()  # from now on the thread takes nothing more
        return not self._thread.is_alive()

    def behind(self) -> int:
        """Events that were dropped or still wait."""
        with self._ready:
            return self._dropped + len(self._waiting)

    def unended(self) -> str:
        """What it has not done where it has not ended."""
        return "had not ended"

    def _failed(self, error: BaseException) -> str:
        return f"{self.who} failed and is left out from now on: {_reason(error)}"

    def _work(self, run_id: str, folder: Path) -> None:
        try:
            self._tracker.open(run_id, folder)
            while (event := self._next()) is not None:
                self._tracker.event(event.model_copy(deep=True))  # its own: the run, and whoever hears beside it, go on with theirs
            if not self._left:
                self._tracker.close()
        except (Exception, SystemExit) as error:
            self.failure = self._failed(error)

    def _next(self) -> Event | None:
        with self._ready:
            while not self._waiting and not self._closing:
                self._ready.wait()
            return self._waiting.popleft() if self._waiting and not self._left else None


class _Asked:
    """A plugin's event hooks, as a tracker hears events. `asked` is the hook that has not returned yet, and when it was called."""

    summary = "hears events"

    def __init__(self, hooks: EventHooks) -> None:
        self.name = hooks.plugin
        self.asked: tuple[str, float] | None = None
        self._hooks = hooks

    def open(self, run_id: str, folder: Path) -> None:
        """There is nothing to open."""

    def event(self, event: Event) -> None:
        """Raises what the hook raises; then `asked` stays as it is."""
        self.asked = (f"{PROJECT}_{event.event}", time.monotonic())
        self._hooks.hear(event)
        self.asked = None

    def close(self) -> None:
        """There is nothing to close."""


class Hearing(Tracking):
    """The event hooks of one plugin and their thread. One that does not return in the time of a call into a plugin is given up."""

    seconds = HOOK_SECONDS

    def __init__(self, hooks: EventHooks) -> None:
        self._hooks, self._asked = hooks, _Asked(hooks)
        super().__init__(self._asked, f"plugin {hooks.plugin}")

    def put(self, event: Event) -> None:
        asked, limit = self._asked.asked, time_limit()
        if self.failure is None and asked is not None and time.monotonic() - asked[1] > limit:
            self._left = True
            self.failure = (
                f"{self.who} did not return from {asked[0]} within {limit:g} s ({TIMEOUT_VARIABLE} gives it more) and hears no more events"
            )
        if isinstance(event, RunStarted | RunResumed) or event.event in self._hooks.events:
            super().put(event)

    def unended(self) -> str:
        asked = self._asked.asked
        return f"had not returned from {asked[0]}" if asked else super().unended()

    def _failed(self, error: BaseException) -> str:
        asked = self._asked.asked
        return f"{self.who} failed{f' in {asked[0]}' if asked else ''} and hears no more events: {_reason(error)}"


class Trackers:
    """All trackers of a run, and the plugins' event hooks. `notify` takes each event, and returns the warnings that came up meanwhile."""

    def __init__(self, trackers: Sequence[Tracker], seconds: float | None = None, hooks: Sequence[EventHooks] = ()) -> None:
        self._tracking = [*(Tracking(tracker) for tracker in trackers), *(Hearing(one) for one in hooks)]
        self._told: set[str] = set()
        self._seconds = _close_seconds() if seconds is None else seconds

    @classmethod
    def named(cls, names: Sequence[str], catalog: Catalog) -> Trackers:
        """Those of the catalog by name, beside all event hooks. Raises PluginError for an unknown one, SettingsError for one that cannot
        work here."""
        found = [catalog.tracker(name) for name in dict.fromkeys(names)]
        for one in found:
            if isinstance(one, Checked):
                _check(one, f"tracker {one.name}")
        return cls(found, hooks=catalog.event_hooks)

    def notify(self, event: Event) -> tuple[str, ...]:
        """Costs the run no more than putting the event into queues; with its last one, also the time that the trackers need to end,
        within bounds."""
        for one in self._tracking:
            one.put(event)
        warnings = self._failures()
        if isinstance(event, RunFinished | RunFailedEvent):
            leaving = isinstance(event, RunFailedEvent) and event.status == "aborted"
            warnings += self._end(ABORTED_SECONDS if leaving else float("inf"))
        return tuple(warnings)

    def _failures(self) -> list[str]:
        found = [(one.who, one.failure) for one in self._tracking if one.failure is not None and one.who not in self._told]
        self._told |= {who for who, _ in found}
        return [failure for _, failure in found]

    def _end(self, most: float) -> list[str]:
        begun = time.monotonic()
        for one in self._tracking:
            one.close()
        given = {one.who: min(most, one.seconds if self._seconds is None else self._seconds) for one in self._tracking}
        ended = {one.who: one.left(begun + given[one.who]) for one in self._tracking}
        warnings = self._failures()
        for one in self._tracking:
            lost = one.behind()
            if one.who in self._told or (ended[one.who] and not lost):
                continue
            self._told.add(one.who)
            what = f"{counted(lost, 'event')} of the run did not reach it" if lost else "what it was about to write may be missing"
            late = f"{one.unended()} {given[one.who]:g} s after the run ({CLOSE_VARIABLE} gives it more)"
            warnings.append(f"{one.who} {'was too slow' if ended[one.who] else late}: {what}")
        return warnings


def _check(tracker: Checked, who: str) -> None:
    """Raises SettingsError, or what the tracker raises of autoft's own errors, where it says that it cannot work."""
    try:
        said: object = tracker.check()  # type: ignore[func-returns-value]
    except AutoftError:
        raise
    except (Exception, SystemExit) as error:
        raise SettingsError(f"{who} cannot work here: {_reason(error)}", hint="leave out its --tracker, or tell its author") from error
    if said is not None:
        text = without_secrets(str(said))[:500]
        raise SettingsError(f"{who} cannot work here: its check returned {text!r}", hint="check returns nothing; it raises where it cannot")


def _reason(error: BaseException) -> str:
    return without_secrets(f"{type(error).__name__}: {error}")[:500]


def _close_seconds() -> float | None:
    """What the variable says; None where it says no time."""
    try:
        return max(0.0, float(os.environ[CLOSE_VARIABLE]))
    except (KeyError, ValueError):
        return None
