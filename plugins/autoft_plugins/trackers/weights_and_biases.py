"""Weights & Biases: a group a run; offline unless the user has a key or says otherwise."""

from __future__ import annotations

import contextlib
import json
import netrc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autoft.interfaces.events import RunFailedEvent, TrialFinished, TrialReported, TrialStarted
from autoft_plugins.trackers.telling import Begun, Ended, Telling, best_figures, figures, plain, run_parameters

PROJECT = "autoft"
HOST = "https://api.wandb.ai"
FINISH_SECONDS = 20
"""Most seconds that the library may hold the process for what it has not sent; what is left lies in its folder, for `wandb sync`."""

_QUIET = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
_SETTINGS = {
    "console": "off",
    "silent": True,
    "disable_git": True,
    "disable_code": True,
    "save_code": False,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
    "finish_timeout": FINISH_SECONDS,
}
"""As far as the installed release knows them."""

_NO_ID = re.compile(r"[^\w.-]+", re.A)


class WeightsAndBiases(Telling):
    """WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY and WANDB_DIR are honoured; without a directory it writes into the run's folder."""

    name = "wandb"
    summary = "Weights & Biases: the project of WANDB_PROJECT; offline without a key, or as WANDB_MODE says"
    library, extra, quiet = "wandb", "wandb", _QUIET

    def open(self, run_id: str, folder: Path) -> None:
        super().open(run_id, folder)
        import wandb

        self._wandb: Any = wandb
        self._mode = os.environ.get("WANDB_MODE") or self._configured()
        self._parent: Any = None
        self._trials: dict[int, Any] = {}

    def close(self) -> None:
        """Also after a run that was cut off in the middle of its trials."""
        for run in (*self._trials.values(), *([self._parent] if self._parent is not None else [])):
            run.finish()

    def run_begun(self, event: Begun) -> None:
        self._parent = self._init(self.run_id, self.run_id, "run", run_parameters(event, self.folder))
        self._parent.define_metric("trial")
        self._parent.define_metric("value", step_metric="trial")

    def trial_begun(self, event: TrialStarted) -> None:
        before = self._trials.pop(event.trial, None)
        if before is not None:
            before.finish()
        self._begin(event.trial, event.candidate, event.stage, event.hyperparameters)

    def trial_reported(self, event: TrialReported) -> None:
        self._trials[event.trial].log({**event.metrics, **event.measures, "progress": event.progress})

    def trial_ended(self, event: TrialFinished) -> None:
        run = self._trials.pop(event.trial, None)
        if run is None:
            self._begin(event.trial, event.candidate, event.stage, event.hyperparameters)
            run = self._trials.pop(event.trial)
        run.summary.update({**best_figures(event), "status": event.status, "reason": event.reason, "ended_at": event.progress})
        run.finish(exit_code=int(event.status == "failed"))
        if event.value is not None:
            self._parent.log({"trial": event.trial, "value": event.value})

    def run_ended(self, event: Ended) -> None:
        reason = event.reason if isinstance(event, RunFailedEvent) else str(event.result.get("verdict", ""))
        final = figures(event)
        self._parent.summary.update({**final, "status": event.status, "reason": reason})
        for path in self.files():
            self._parent.save(str(path), base_path=str(self.folder), policy="now")
        bundle = self.bundle(event)
        if bundle is not None:
            artifact = self._wandb.Artifact(_id(f"bundle-{self.run_id}"), type="model", metadata=final)
            artifact.add_dir(str(bundle))
            self._parent.log_artifact(artifact)
        for run in self._trials.values():
            run.finish(exit_code=1)
        self._trials = {}
        self._parent.finish(exit_code=int(isinstance(event, RunFailedEvent)))
        self._parent = None

    def _configured(self) -> str:
        """Online where the user has a key and the run is not offline: without one the library would stop and ask."""
        try:
            offline = bool(json.loads((self.folder / "run.json").read_text(encoding="utf-8"))["settings"]["offline"])
        except (OSError, ValueError, KeyError, TypeError):
            offline = False
        return "online" if _has_key() and not offline else "offline"

    def _begin(self, trial: int, candidate: str, stage: str, hyperparameters: Mapping[str, Any]) -> None:
        config = {"trial": trial, "candidate": candidate, "stage": stage, **hyperparameters}
        run = self._trials[trial] = self._init(f"{self.run_id}-trial-{trial}", f"trial {trial}: {candidate}", "trial", config)
        run.define_metric("progress")
        run.define_metric("*", step_metric="progress")

    def _init(self, name: str, shown: str, kind: str, config: Mapping[str, Any]) -> Any:
        """One run among several of this process. Nothing but what is handed over is recorded: no console, no code, no git, no machine."""
        known = self._wandb.Settings.model_fields
        host = os.environ.get("WANDB_HOST", "")  # unless the user names it, the library would record the machine's
        settings = self._wandb.Settings(host=host, **{name: value for name, value in _SETTINGS.items() if name in known})
        return self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=_id(name),
            name=shown,
            group=self.run_id[:128],
            job_type=kind,
            config={key: plain(value) for key, value in config.items() if value is not None},
            dir=os.environ.get("WANDB_DIR") or str(self.folder),
            mode=self._mode,
            resume="allow",
            reinit="create_new",
            settings=settings,
        )


def _has_key() -> bool:
    """Whether the user has logged in: by an environment variable, or by `wandb login`, which leaves it in the netrc file."""
    if any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or HOST).hostname or ""
    for path in [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]:
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(Path(path).expanduser()).authenticators(host):
                return True
    return False


def _id(name: str) -> str:
    """As the system allows: letters, digits, `_`, `-` and `.`; the end of a name tells it apart."""
    return _NO_ID.sub("-", name)[-120:]
