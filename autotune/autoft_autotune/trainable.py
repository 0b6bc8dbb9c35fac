"""The worker's side: an actor that runs one trial after the other, so that only the first pays for imports."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune import Trainable

from autoft.catalog import Catalog
from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.tuner import PluginFile
from autoft.store import liveness
from autoft.trial import run_trial
from autoft_autotune.conversation import Conversation
from autoft_autotune.wire import TRIAL, TrialOrder, outcome_result, report_result

END_SECONDS = 60.0
"""How long a stopped trial may take to return before its worker counts as hanging."""

HANGS = 70
"""Exit status of such a worker."""


@dataclass(frozen=True)
class Shared:
    """What all trials of a search have in common; it goes through Ray's object store once."""

    data: FitData
    candidates: dict[str, Candidate]
    plugin_files: tuple[PluginFile, ...]
    trials: Path
    stop_file: Path
    directory: Path
    threads: int
    gpus: float
    peaks: Mapping[str, float]
    verbose: bool


class TrialWorker(Trainable):  # type: ignore[misc, unused-ignore]
    """Each `step` returns the next evaluation of the trial or its end."""

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """`shared` is given through `ray.tune.with_parameters`."""
        if shared is None:
            raise ValueError("TrialWorker runs with parameters only")
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(shared.threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._shared = shared
        self._attendance = liveness.attend(shared.trials.parent)
        self._catalog = Catalog.build(shared.plugin_files)
        # What is there by now stays: a collection after each trial need not walk through it.
        gc.freeze()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial in this process, which ends where the last trial does not return."""
        if not self._end():
            # Were this False, Ray would blame the next trial, and tell neither searcher nor callbacks of it.
            os._exit(HANGS)
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        metric = self._shared.data.problem.metric
        said = self._conversation.next()
        if isinstance(said, TrialReported):
            value = said.metrics.get(metric.name)
            return report_result(said, None if value is None else metric.key(value), *self._conversation.elapsed())
        return outcome_result(said, None if said.value is None else metric.key(said.value))

    def cleanup(self) -> None:
        self._end()

    def _begin(self, config: dict[str, Any]) -> None:
        # Ray moves a worker into its own folders; relative paths of the user mean the driver's.
        os.chdir(self._shared.directory)
        shared, order = self._shared, TrialOrder.from_json(config[TRIAL])
        candidate = shared.candidates[order.candidate]
        peak = shared.peaks.get(candidate.model, 0.0) * (shared.gpus or shared.threads)
        spec = TrialSpec(order.number, candidate, order.hyperparameters, order.seed, shared.threads, shared.gpus, peak)
        self._conversation = Conversation(
            lambda listen: run_trial(
                spec,
                shared.data,
                self._catalog.model(candidate.model),
                self._catalog.task(shared.data.problem.task),
                shared.trials / str(order.number),
                listen=listen,
                deadline=order.deadline,
                stop_file=shared.stop_file,
                verbose=shared.verbose,
            )
        )

    def _end(self) -> bool:
        ended = self._conversation.close(END_SECONDS)
        gc.collect()
        return ended
