"""The plugin. Ray and optuna are imported as a search begins, never before."""

from __future__ import annotations

from collections.abc import Callable

from autoft.interfaces.events import Event
from autoft.interfaces.tuner import SearchRequest


class RayTuner:
    """`autoft.interfaces.tuner.Tuner` on Ray Tune: TPE within a candidate, an upper confidence bound between candidates, ASHA to stop."""

    name = "ray"
    summary = "Ray Tune: TPE within each candidate, a bandit between them, ASHA to stop what does not pay"

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

        if request.candidates:
            run_experiment(request, on_event)
