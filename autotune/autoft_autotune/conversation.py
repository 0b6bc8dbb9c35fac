"""A trial in a thread that speaks one report at a time and waits for the answer. No Ray in here."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import Decision
from autoft.trial import TrialOutcome

Listen = Callable[[TrialReported], Decision]


class Conversation:
    """`run` is `autoft.trial.run_trial` with all but `listen` given. It begins at the first `next`."""

    def __init__(self, run: Callable[[Listen], TrialOutcome]) -> None:
        self._run = run
        self._said: queue.SimpleQueue[TrialReported | TrialOutcome] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Decision] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="trial", daemon=True)
        self._begun = self._cpu = 0.0
        self._closed = False

    def next(self) -> TrialReported | TrialOutcome:
        """The next evaluation, or the end. Asking for more than the last evaluation means that the trial goes on."""
        if self._thread.ident is None:
            self._begun, self._cpu = time.monotonic(), time.process_time()
            self._thread.start()
        else:
            self._answers.put("go")
        return self._said.get()

    def elapsed(self) -> tuple[float, float]:
        """Seconds since the trial began, and core-seconds of this process."""
        return time.monotonic() - self._begun, time.process_time() - self._cpu

    def close(self, timeout: float) -> bool:
        """Stop the trial if it still runs. Returns False when its thread has not ended within `timeout` seconds."""
        self._closed = True
        if self._thread.ident is None:
            return True
        self._answers.put("stop")
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            outcome = self._run(self._listen)
        except BaseException as error:  # whatever it is, the driver waits for an answer
            outcome = TrialOutcome("failed", reason=f"{type(error).__name__}: {error}")
        outcome.fitted = None
        self._said.put(outcome)

    def _listen(self, report: TrialReported) -> Decision:
        if self._closed:
            return "stop"
        self._said.put(report)
        return self._answers.get()
