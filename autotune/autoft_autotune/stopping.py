"""Asynchronous successive halving (Li et al., MLSys 2020), a bracket a candidate, on the percent of each trial's own horizon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.schedulers.async_hyperband import _Bracket

from autoft_autotune.wire import PERCENT, SCORE, not_pickled

FIRST_RUNG = 15
REDUCTION = 3
"""Rungs at 15 and 45 percent; on each, the best third goes on."""

LEAST_RESULTS = 3
"""A rung that holds fewer results stops nobody."""


class Rungs(_Bracket):  # type: ignore[misc, unused-ignore]
    """The rungs of one candidate. A result counts on the highest rung it has reached; on each rung a trial is judged once."""

    def __init__(self) -> None:
        super().__init__(min_t=FIRST_RUNG, max_t=100, reduction_factor=REDUCTION, s=0)
        self._exempt: str | None = None

    @property
    def milestones(self) -> list[float]:
        """Percent at which trials are judged, ascending."""
        return sorted(milestone for milestone, _ in self._rungs)

    def cutoff(self, recorded: dict[str, float]) -> float | None:
        """The score of the last that goes on: of n results the best n/REDUCTION, rounded up. None while there are too few."""
        if len(recorded) < LEAST_RESULTS:
            return None
        return sorted(recorded.values(), reverse=True)[math.ceil(len(recorded) / REDUCTION) - 1]

    def on_result(self, trial: Trial, cur_iter: int, cur_rew: float | None) -> str:
        """The decision for a result; the candidate's first trial is recorded and always goes on."""
        reached = [recorded for milestone, recorded in self._rungs if cur_iter >= milestone]
        if not reached or cur_rew is None or trial.trial_id in reached[0]:
            return str(TrialScheduler.CONTINUE)
        reached[0][trial.trial_id] = cur_rew
        cutoff = self.cutoff(reached[0])
        stop = cutoff is not None and cur_rew < cutoff and trial.trial_id != self._exempt
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def exempt(self, trial_id: str) -> None:
        """Called as trials are added: the first is the candidate's first."""
        if self._exempt is None:
            self._exempt = trial_id

    def release(self, trial_id: str) -> None:
        """Called as trials end: one that reached no rung was not measured."""
        if self._exempt == trial_id and not any(trial_id in recorded for _, recorded in self._rungs):
            self._exempt = None


class CandidateHalving(AsyncHyperBandScheduler):  # type: ignore[misc, unused-ignore]
    """Ray's ASHA with `Rungs` for each candidate in place of brackets drawn at random.

    `candidate_of` gives the name of a trial's candidate by Ray's trial id.
    """

    def __init__(self, candidate_of: Callable[[str], str]) -> None:
        super().__init__(time_attr=PERCENT, metric=SCORE, mode="max", max_t=100, grace_period=FIRST_RUNG, stop_last_trials=False)
        self._candidate_of = candidate_of
        self._rungs_of: dict[str, Rungs] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        self.take_up(self._candidate_of(trial.trial_id), trial)

    def take_up(self, candidate: str, trial: Trial) -> None:
        """Results of `trial` follow; the first of a candidate is exempt."""
        rungs = self._rungs_of.setdefault(candidate, Rungs())
        rungs.exempt(trial.trial_id)
        self._trial_info[trial.trial_id] = rungs

    def forget(self, trial: Trial) -> None:
        """It has ended; where it reached no rung, the next of its candidate is exempt in its place."""
        rungs = self._trial_info.pop(trial.trial_id, None)
        if rungs is not None:
            rungs.release(trial.trial_id)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:  # noqa: ARG002
        # Ray's own choice is the first waiting trial. It would take each worker that comes free for a trial whose worker is only
        # starting, end the starting one and start another: with short trials no second worker ever comes up. Without a choice,
        # Ray gives free workers to new trials.
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        # At 100 percent there is nothing left to save, and the worker still has to say how it ended.
        if result.get(PERCENT, 0) >= 100:
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:  # noqa: ARG002
        self.forget(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        self.forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        self.forget(trial)

    __reduce__ = not_pickled
