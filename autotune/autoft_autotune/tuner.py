"""The plugin. Ray and optuna are imported as a search begins, never before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autoft.interfaces.events import Event
from autoft.interfaces.tuner import SearchRequest

if TYPE_CHECKING:
    from autoft_autotune.session import EarlyRay


class RayTuner:
    """`autoft.interfaces.tuner.Tuner` on Ray Tune: TPE within a candidate, an upper confidence bound between candidates, ASHA to stop."""

    name = "ray"
    summary = "Ray Tune: TPE within each candidate, a bandit between them, ASHA to stop what does not pay"

    def __init__(self) -> None:
        self._early: EarlyRay | None = None

    @contextmanager
    def prepare(self, concurrency: int | None, models: Sequence[str], *, verbose: bool) -> Iterator[Callable[[], None]]:
        """See `autoft.interfaces.tuner.Prepares`: Ray comes up, and its workers import what trials need."""
        from autoft_autotune.session import early_ray

        early = self._early = early_ray(concurrency, models, verbose=verbose)
        try:
            yield early.wait if early else lambda: None
        finally:
            self._early = None
            if early:
                early.close()

    def reach(self, address: str) -> None:
        """See `autoft.interfaces.tuner.Reaches`."""
        from autoft_autotune.reaching import reach

        reach(address)

    def search(self, request: SearchRequest, on_event: Callable[[Event], None]) -> None:
        """Run trials until the request's limits. Uses the Ray instance of this process where there is one, else starts and ends its own;
        with `ray_address` the cluster there.

        Raises SettingsError when the machine cannot hold a single trial, or the cluster cannot be used; a trial that fails is an event.
        """
        from autoft_autotune.experiment import run_experiment

        if not request.candidates:
            return
        early, self._early = self._early, None
        if early:
            early.wait()
        try:
            run_experiment(request, on_event)
        finally:
            if early:
                early.release()
