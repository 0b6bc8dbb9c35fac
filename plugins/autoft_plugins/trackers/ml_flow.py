"""MLflow, by its client alone: no global state of the library is touched."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoft.disk import write_json
from autoft.interfaces.events import RunFailedEvent, TrialFinished, TrialReported, TrialStarted
from autoft_plugins.trackers.telling import Begun, Ended, Telling, best_figures, figures, plain, run_parameters

STATE = "trackers/mlflow.json"
"""The ids of the tracked runs, below the run's folder: what a resumed run goes on with."""

EXPERIMENT = "autoft"
MODEL = "AUTOFT_MLFLOW_MODEL"
"""The registered model that a finished run's bundle becomes a version of; without it nothing is registered."""

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
_ENDS = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "aborted": "KILLED", "running": "RUNNING"}
_MOST = 100
_LONGEST = 5000
"""Entries of a call, and letters of a parameter or a tag, that every release takes."""
_NO_NAME = re.compile(r"[^\w/. -]", re.A)
"""What no name of a parameter or a metric may hold: a plugin's metric may be called `recall@5`."""


class MLflow(Telling):
    """Where MLFLOW_TRACKING_URI says, or else where the library would write by itself."""

    name = "mlflow"
    summary = "MLflow: the store or server of MLFLOW_TRACKING_URI, the experiment of MLFLOW_EXPERIMENT_NAME"
    library, extra, quiet = "mlflow", "mlflow", _QUIET

    def open(self, run_id: str, folder: Path) -> None:
        super().open(run_id, folder)
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        self._parent: str | None = None
        self._trials: dict[int, str] = {}
        self._experiment = self._open_experiment()
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            if state["experiment"] == self._experiment and self._is_there(state["run"]):
                self._parent, self._trials = state["run"], {int(number): one for number, one in state["trials"].items()}

    def close(self) -> None:
        """Every call was answered before the next."""

    def run_begun(self, event: Begun) -> None:
        if self._parent is None:
            self._parent = self._create(self.run_id, event.time, {"autoft.run_id": self.run_id, "autoft.folder": str(self.folder)})
            self._keep()
        else:
            self._client.set_terminated(self._parent, "RUNNING")
        self._asked(self._parent, run_parameters(event, self.folder))

    def trial_begun(self, event: TrialStarted) -> None:
        self._drop(event.trial)
        self._begin(event.trial, event.candidate, event.stage, event.time, event.hyperparameters)

    def trial_reported(self, event: TrialReported) -> None:
        self._metrics(self._trials[event.trial], {**event.metrics, **event.measures}, event.time, event.progress)

    def trial_ended(self, event: TrialFinished) -> None:
        run = self._trials.get(event.trial) or self._begin(
            event.trial, event.candidate, event.stage, event.time - event.seconds, event.hyperparameters
        )
        self._metrics(run, best_figures(event), event.time, event.progress)
        self._tags(run, {"autoft.status": event.status, "autoft.reason": event.reason})
        self._client.set_terminated(run, _ENDS[event.status], int(event.time * 1000))
        if self._parent is not None and event.value is not None:
            self._metrics(self._parent, {"value": event.value}, event.time, event.trial)

    def run_ended(self, event: Ended) -> None:
        if self._parent is None:
            return
        self._metrics(self._parent, figures(event), event.time, 0)
        reason = event.reason if isinstance(event, RunFailedEvent) else str(event.result.get("verdict", ""))
        self._tags(self._parent, {"autoft.status": event.status, "autoft.reason": reason})
        for path in self.files():
            self._client.log_artifact(self._parent, str(path))
        bundle = self.bundle(event)
        if bundle is not None:
            self._client.log_artifacts(self._parent, str(bundle), "bundle")
            self._register(self._parent)
        self._client.set_terminated(self._parent, _ENDS[event.status], int(event.time * 1000))

    def _open_experiment(self) -> str:
        given = os.environ.get("MLFLOW_EXPERIMENT_ID")
        if given:
            return given
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        if found is None:
            from mlflow.exceptions import MlflowException

            with contextlib.suppress(MlflowException):  # another run may be making it at this moment
                return str(self._client.create_experiment(name))
            found = self._client.get_experiment_by_name(name)
        if found is None:
            raise ValueError(f"the experiment {name!r} can neither be found nor made")
        return str(found.experiment_id)

    def _is_there(self, run: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(run).info.lifecycle_stage == "active")
        except MlflowException:
            return False

    def _create(self, name: str, time: float, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(self._experiment, start_time=int(time * 1000), tags=dict(tags), run_name=name)
        return str(run.info.run_id)

    def _begin(self, trial: int, candidate: str, stage: str, time: float, hyperparameters: Mapping[str, Any]) -> str:
        tags = {"autoft.run_id": self.run_id, "autoft.trial": str(trial), "autoft.candidate": candidate, "autoft.stage": stage}
        if self._parent is not None:
            tags["mlflow.parentRunId"] = self._parent
        run = self._trials[trial] = self._create(f"trial {trial}", time, tags)
        self._keep()
        self._parameters(run, {"candidate": candidate, **hyperparameters})
        return run

    def _drop(self, trial: int) -> None:
        """What a trial had told before its run was cut off: it begins anew, and has one child all the same."""
        run = self._trials.pop(trial, None)
        if run is not None:
            self._client.delete_run(run)

    def _keep(self) -> None:
        path = self.folder / STATE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"experiment": self._experiment, "run": self._parent, "trials": self._trials})

    def _asked(self, run: str, values: Mapping[str, Any]) -> None:
        """Parameters stand for good: what a session that goes on with the run is asked otherwise, its budget, is a tag."""
        before = self._client.get_run(run).data.params
        self._parameters(run, {name: value for name, value in values.items() if name not in before})
        told = _texts({name: value for name, value in values.items() if name in before})
        self._tags(run, {f"autoft.{name}": value for name, value in told.items() if value != before[name]})

    def _parameters(self, run: str, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        told = [Param(_NO_NAME.sub("_", name), value) for name, value in _texts(values).items()]
        for begin in range(0, len(told), _MOST):
            self._client.log_batch(run, params=told[begin : begin + _MOST])

    def _metrics(self, run: str, values: Mapping[str, float], time: float, step: int) -> None:
        from mlflow.entities import Metric

        told = [Metric(_NO_NAME.sub("_", name), value, int(time * 1000), step) for name, value in values.items()]
        for begin in range(0, len(told), _MOST):
            self._client.log_batch(run, metrics=told[begin : begin + _MOST])

    def _tags(self, run: str, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if value:
                self._client.set_tag(run, name, value[:_LONGEST])

    def _register(self, run: str) -> None:
        name = os.environ.get(MODEL)
        if not name:
            return
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_registered_model(name)
        except MlflowException:
            self._client.create_registered_model(name)
        source = f"{self._client.get_run(run).info.artifact_uri}/bundle"
        self._client.create_model_version(name, source, run_id=run, tags={"autoft.run_id": self.run_id})


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """As the system keeps parameters; none of what was not asked."""
    return {name: str(plain(value))[:_LONGEST] for name, value in values.items() if value is not None}
