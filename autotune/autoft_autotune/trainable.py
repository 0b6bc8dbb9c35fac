"""The worker's side: an actor that runs one trial after the other, so that only the first pays for imports."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ray.tune import Trainable
from threadpoolctl import threadpool_limits

from autoft.catalog import Catalog
from autoft.interfaces.events import TrialReported
from autoft.interfaces.model import Candidate, FitData, TrialSpec
from autoft.interfaces.tuner import PluginFile
from autoft.store import liveness
from autoft.trial import TrialOutcome, run_trial
from autoft_autotune.conversation import Conversation, Listen
from autoft_autotune.places import HERE, Place
from autoft_autotune.wire import TRIAL, TrialOrder, outcome_result, report_result

END_SECONDS = 60.0
"""How long a stopped trial may take to return before its worker counts as hanging."""

HANGS = 70
"""Exit status of such a worker."""


@dataclass(frozen=True)
class Shared:
    """What all trials of a search have in common; it goes through Ray's object store once. `places` are by the id of the node, or that of
    all workers is `HERE`. `variables` say which plugins a worker loads and how its threads wait, as in the driver: on a cluster nothing
    else would."""

    data: FitData
    candidates: dict[str, Candidate]
    plugin_files: tuple[PluginFile, ...]
    places: Mapping[str, Place]
    threads: int
    gpus: float
    peaks: Mapping[str, float]
    verbose: bool
    variables: Mapping[str, str] = field(default_factory=dict)


class TrialWorker(Trainable):  # type: ignore[misc, unused-ignore]
    """Each `step` returns the next evaluation of the trial or its end."""

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """`shared` is given through `ray.tune.with_parameters`."""
        if shared is None:
            raise ValueError("TrialWorker runs with parameters only")
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(shared.threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._shared, self._place = shared, _place(shared)
        os.environ.update({**shared.variables, **self._place.variables})
        self._data = replace(shared.data, cache=self._place.cache)
        self._attendance = liveness.attend(self._place.folder)
        self._catalog = Catalog.build(shared.plugin_files)
        # Libraries that were there before the variables were: Ray brings some into its workers.
        threadpool_limits(shared.threads)
        if "torch" in sys.modules:  # for the threads to come, too
            sys.modules["torch"].set_num_threads(shared.threads)
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
            said = said.model_copy(update={"time": said.time - self._place.ahead})
            value = said.metrics.get(metric.name)
            return report_result(said, None if value is None else metric.key(value), *self._conversation.elapsed())
        return outcome_result(said, None if said.value is None else metric.key(said.value))

    def cleanup(self) -> None:
        self._end()

    def _begin(self, config: dict[str, Any]) -> None:
        # Ray moves a worker into its own folders; relative paths of the user mean the driver's.
        os.chdir(self._place.directory)
        order = TrialOrder.from_json(config[TRIAL])
        self._conversation = Conversation(lambda listen: self._run(order, listen))

    def _run(self, order: TrialOrder, listen: Listen) -> TrialOutcome:
        shared, place = self._shared, self._place
        candidate = place.at_hand(shared.candidates[order.candidate])
        peak = shared.peaks.get(candidate.model, 0.0) * (shared.gpus or shared.threads)
        return run_trial(
            TrialSpec(order.number, candidate, order.hyperparameters, order.seed, shared.threads, shared.gpus, peak),
            self._data,
            self._catalog.model(candidate.model),
            self._catalog.task(shared.data.problem.task),
            place.folder / "trials" / str(order.number),
            listen=listen,
            deadline=None if order.deadline is None else order.deadline + place.ahead,
            stop_file=place.stop_file,
            verbose=shared.verbose,
        )

    def _end(self) -> bool:
        ended = self._conversation.close(END_SECONDS)
        gc.collect()
        return ended


def _place(shared: Shared) -> Place:
    if HERE in shared.places:
        return shared.places[HERE]
    import ray

    return shared.places[ray.get_runtime_context().get_node_id()]
