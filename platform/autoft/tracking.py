"""Trackers beside a run: each behind a bounded queue in a thread of its own, so that none of them can slow or end it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from autoft.catalog import Catalog
from autoft.data.names import counted
from autoft.interfaces.events import Event, Remark, RunFailedEvent, RunFinished, RunResumed, RunStarted, TrialReported
from autoft.interfaces.tracker import Checked, Tracker

WAITING = 2_000
"""Events that a tracker may be behind before remarks and evaluations are dropped; for all others there is room for as many again."""

CLOSE_SECONDS = 30.0
ABORTED_SECONDS = 3.0
CLOSE_VARIABLE = "AUTOFT_TRACKER_SECONDS"
"""How long all trackers together may take to end once the run has ended, and once the user left it; the variable says otherwise."""

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
    """One tracker and its thread. `put` never waits; what went wrong is told once, by `complaints`."""

    def __init__(self, tracker: Tracker) -> None:
        self.name = str(tracker.name)
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
            self._thread = threading.Thread(
                target=self._work, args=(event.run_id, Path(event.folder)), name=f"tracker {self.name}", daemon=True
            )
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
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._ready:
            self._left = self._left or self._thread.is_alive()  # from now on the thread takes nothing more
        return not self._thread.is_alive()

    def behind(self) -> int:
        """Events that were dropped or still wait."""
        with self._ready:
            return self._dropped + len(self._waiting)

    def _work(self, run_id: str, folder: Path) -> None:
        try:
            self._tracker.open(run_id, folder)
            while (event := self._next()) is not None:
                self._tracker.event(event.model_copy(deep=True))  # its own: the run, and whoever hears beside it, go on with theirs
            if not self._left:
                self._tracker.close()
        except (Exception, SystemExit) as error:
            self.failure = without_secrets(f"{type(error).__name__}: {error}")[:500]

    def _next(self) -> Event | None:
        with self._ready:
            while not self._waiting and not self._closing:
                self._ready.wait()
            return self._waiting.popleft() if self._waiting and not self._left else None


class Trackers:
    """All trackers of a run. `notify` takes each event, and returns the warnings that came up meanwhile."""

    def __init__(self, trackers: Sequence[Tracker], seconds: float | None = None) -> None:
        self._tracking = [Tracking(tracker) for tracker in trackers]
        self._told: set[str] = set()
        self._seconds = _close_seconds() if seconds is None else seconds

    @classmethod
    def named(cls, names: Sequence[str], catalog: Catalog) -> Trackers:
        """Those of the catalog by name. Raises PluginError for an unknown one, SettingsError for one that cannot work here."""
        found = [catalog.tracker(name) for name in dict.fromkeys(names)]
        for one in found:
            if isinstance(one, Checked):
                one.check()
        return cls(found)

    def notify(self, event: Event) -> tuple[str, ...]:
        """Costs the run no more than putting the event into queues; with its last one, also the time that the trackers need to end,
        within bounds."""
        for one in self._tracking:
            one.put(event)
        warnings = self._failures()
        if isinstance(event, RunFinished | RunFailedEvent):
            leaving = isinstance(event, RunFailedEvent) and event.status == "aborted"
            warnings += self._end(min(self._seconds, ABORTED_SECONDS) if leaving else self._seconds)
        return tuple(warnings)

    def _failures(self) -> list[str]:
        found = [one for one in self._tracking if one.failure is not None and one.name not in self._told]
        self._told |= {one.name for one in found}
        return [f"tracker {one.name} failed and is left out from now on: {one.failure}" for one in found]

    def _end(self, seconds: float) -> list[str]:
        deadline = time.monotonic() + seconds
        for one in self._tracking:
            one.close()
        ended = {one.name: one.left(deadline) for one in self._tracking}
        warnings = self._failures()
        for one in self._tracking:
            lost = one.behind()
            if one.name in self._told or (ended[one.name] and not lost):
                continue
            self._told.add(one.name)
            what = f"{counted(lost, 'event')} of the run did not reach it" if lost else "what it was about to write may be missing"
            why = "was too slow" if ended[one.name] else f"had not ended {seconds:g} s after the run ({CLOSE_VARIABLE} gives it more)"
            warnings.append(f"tracker {one.name} {why}: {what}")
        return warnings


def _close_seconds() -> float:
    try:
        return max(0.0, float(os.environ.get(CLOSE_VARIABLE, "") or CLOSE_SECONDS))
    except ValueError:
        return CLOSE_SECONDS


Notify = Callable[[Event], Sequence[str]]


def both(first: Notify, second: Notify) -> Notify:
    """An event for the one and then for the other; the warnings of both."""
    return lambda event: (*first(event), *second(event))
