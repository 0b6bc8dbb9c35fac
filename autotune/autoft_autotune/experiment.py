"""One search, top to bottom: plan the machine, start Ray, let Tune run trials, tell of those that were cut off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoft import hardware
from autoft.errors import SettingsError
from autoft.interfaces.events import Event
from autoft.interfaces.tuner import SearchRequest
from autoft_autotune.book import Book
from autoft_autotune.limits import Limits
from autoft_autotune.resources import Machine, Plan, gpu_memory, make_plan, processors
from autoft_autotune.session import ray_session


def run_experiment(request: SearchRequest, on_event: Callable[[Event], None]) -> None:
    """See `autoft.interfaces.tuner.Tuner.search`."""
    machine = _machine()
    plan = make_plan(machine, request.candidates, request.concurrency, request.trials)
    with ray_session(plan, machine.gpus, verbose=request.verbose):
        _run(request, plan, on_event)


def _machine() -> Machine:
    """This machine, or where Ray already runs the GPUs it was given, which may be logical ones."""
    gpus = hardware.gpus()
    import ray

    if ray.is_initialized():
        gpus = int(_cluster("GPU"))
    return Machine(hardware.cores(), gpus, hardware.free_memory(), gpu_memory() if hardware.gpus() else 0)


def _run(request: SearchRequest, plan: Plan, on_event: Callable[[Event], None]) -> None:
    from ray import tune

    from autoft_autotune.progress import Backstop, EventCallback, no_loggers
    from autoft_autotune.replay import replay
    from autoft_autotune.searcher import CandidateSearcher
    from autoft_autotune.stopping import CandidateHalving
    from autoft_autotune.watchdog import Watchdog

    folder = request.folder.resolve()
    book = Book(request.data.problem.metric, on_event, plan.gpus)
    limits = Limits(request.deadline, request.stop_file.resolve(), request.gpu_hours, plan, book, request.later)
    callback = EventCallback(book)
    searcher = CandidateSearcher(request, plan, book, limits, callback.failure)
    scheduler = CandidateHalving(lambda trial_id: book[trial_id].candidate)
    replay(request.history, request.data.problem.metric, book, searcher, scheduler)
    scratch = folder / "ray"
    tuner = tune.Tuner(
        _trainable(request, plan, folder),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"trial-{book[trial.trial_id].number}",
            trial_dirname_creator=lambda trial: str(book[trial.trial_id].number),
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(scratch),
            callbacks=[callback, Watchdog(book, callback.running, searcher.allowed_silence), *no_loggers()],
            stop=Backstop(limits, book, callback),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=0),
            verbose=1 if request.verbose else 0,
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    # Of a search that is left by an exception nothing is told any more: a resumed run starts its trials again.
    for trial_id, entry in book.live():
        if entry.started is None:
            book.withdraw(trial_id)
        else:
            book.end(trial_id, "stopped", limits.ended() or "the search was interrupted")
            book.finish(trial_id)


def _trainable(request: SearchRequest, plan: Plan, folder: Path) -> Any:
    from ray import tune

    from autoft_autotune.trainable import Shared, TrialWorker

    shared = Shared(
        data=request.data,
        candidates={candidate.name: candidate for candidate in request.candidates},
        plugin_files=tuple(request.plugin_files),
        trials=folder / "trials",
        stop_file=request.stop_file.resolve(),
        directory=Path.cwd(),
        threads=plan.threads,
        gpus=plan.gpus,
        # A Ray instance of the user's own may give trials other GPUs than this machine has.
        peaks=request.peaks if bool(plan.gpus) == bool(hardware.gpus()) else {},
        verbose=request.verbose,
    )
    needs = {"CPU": processors(plan, _cluster("CPU")), "GPU": plan.gpus}
    if plan.gpus > _cluster("GPU"):
        raise SettingsError("the Ray instance of this process has no GPU left for a trial", hint="ray.init(num_gpus=...) gives it some")
    return tune.with_resources(tune.with_parameters(TrialWorker, shared=shared), {name: need for name, need in needs.items() if need})


def _cluster(resource: str) -> float:
    import ray

    return float(ray.cluster_resources().get(resource, 0.0))  # type: ignore[no-untyped-call]
