"""The built-in tuner: a search over candidates with Ray Tune and optuna. Importing this package imports neither."""

from __future__ import annotations

from autoft.hookspecs import hookimpl
from autoft_autotune.tuner import RayTuner

__all__ = ["RayTuner", "autoft_register_tuners"]


@hookimpl
def autoft_register_tuners() -> list[RayTuner]:
    """The tuner `ray`."""
    return [RayTuner()]
