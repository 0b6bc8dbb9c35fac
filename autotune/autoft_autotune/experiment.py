"""One search, top to bottom: plan the machine, start Ray, let Tune run trials, tell of those that were cut off."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoft import hardware
from autoft.errors import SettingsError
from autoft.interfaces.events import Event
from autoft.interfaces.tuner import SearchRequest
from autoft.plugins import loading_variables
from autoft_autotune import ahead
from autoft_autotune.book import Book
from autoft_autotune.limits import Limits
from autoft_autotune.places import HERE, Place
from autoft_autotune.resources import Machine, Plan, cluster_plan, fitting, gpu_memory, make_plan, processors
from autoft_autotune.session import PREFIX, cluster_session, ray_session, search_environment


@dataclass(frozen=True)
class Site:
    """Where the trials of a search run: here, or on the nodes of a cluster. `needs` is what Ray reserves for one; `stop` brings workers
    that cannot see the request's stop file to end their trials."""

    name: str
    places: Mapping[str, Place]
    needs: Any
    stop: Callable[[str], None] = lambda _: None


def run_experiment(request: SearchRequest, on_event: Callable[[Event], None]) -> None:
    """See `autoft.interfaces.tuner.Tuner.search`."""
    request = replace(request, folder=request.folder.resolve(), stop_file=request.stop_file.resolve())
    if request.ray_address is not None:
        _run_on_cluster(request, request.ray_address, on_event)
        return
    machine = _machine()
    plan = make_plan(machine, request.candidates, request.concurrency, request.trials)
    with ray_session(plan, verbose=request.verbose):
        if plan.gpus > _cluster("GPU"):
            raise SettingsError("the Ray instance of this process has no GPU left for a trial", hint="ray.init(num_gpus=...) gives it some")
        needs = {"CPU": processors(plan, _cluster("CPU")), "GPU": plan.gpus}
        here = Place(request.folder, request.stop_file, request.data.cache, Path.cwd())
        _run(request, plan, Site("search", {HERE: here}, {name: need for name, need in needs.items() if need}), on_event)


def _run_on_cluster(request: SearchRequest, address: str, on_event: Callable[[Event], None]) -> None:
    from ray.tune import PlacementGroupFactory

    from autoft_autotune.posts import open_posts

    name = f"{PREFIX}{secrets.token_hex(8)}"
    with cluster_session(address, verbose=request.verbose), open_posts(request, on_event, name) as posts:
        nodes = fitting(posts.machines, request.candidates)
        machines = list(nodes.values())
        plan = cluster_plan(machines, request.candidates, request.concurrency, request.trials)
        largest = max((candidate.memory for candidate in request.candidates), default=0)
        bundle = {
            "CPU": processors(plan, sum(machine.cores for machine in machines)),
            "GPU": plan.gpus,
            "memory": min(largest, max(machine.memory for machine in machines)),
        }
        # A node that joins later has no post.
        needs = PlacementGroupFactory([bundle], bundle_label_selector=[{"ray.io/node-id": f"in({','.join(nodes)})"}])
        with search_environment(plan):
            _run(request, plan, Site(name, posts.lodgings, needs, posts.stop), posts.hear)


def _machine() -> Machine:
    """This machine, or where Ray already runs the GPUs it was given, which may be logical ones."""
    gpus = hardware.gpus()
    import ray

    if ray.is_initialized():
        gpus = int(_cluster("GPU"))
    return Machine(hardware.cores(), gpus, hardware.free_memory() + ahead.memory(), gpu_memory() if hardware.gpus() else 0)


def _run(request: SearchRequest, plan: Plan, site: Site, on_event: Callable[[Event], None]) -> None:
    from ray import tune

    from autoft_autotune.progress import Backstop, EventCallback, no_loggers
    from autoft_autotune.replay import replay
    from autoft_autotune.searcher import CandidateSearcher
    from autoft_autotune.stopping import CandidateHalving
    from autoft_autotune.watchdog import Watchdog

    book = Book(request.data.problem.metric, on_event, plan.gpus)
    limits = Limits(request.deadline, request.stop_file, request.gpu_hours, plan, book, request.later)
    callback = EventCallback(book)
    searcher = CandidateSearcher(request, plan, book, limits, callback.failure)
    scheduler = CandidateHalving(lambda trial_id: book[trial_id].candidate)
    replay(request.history, request.data.problem.metric, book, searcher, scheduler)
    scratch = request.folder / "ray"
    tuner = tune.Tuner(
        _trainable(request, plan, site),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"trial-{book[trial.trial_id].number}",
            trial_dirname_creator=lambda trial: str(book[trial.trial_id].number),
        ),
        run_config=tune.RunConfig(
            name=site.name,
            storage_path=str(scratch),
            callbacks=[callback, Watchdog(book, callback.running, searcher.allowed_silence), *no_loggers()],
            stop=Backstop(limits, book, callback, site.stop),
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


def _trainable(request: SearchRequest, plan: Plan, site: Site) -> Any:
    from ray import tune

    from autoft_autotune.trainable import Shared, TrialWorker

    shared = Shared(
        data=request.data,
        candidates={candidate.name: candidate for candidate in request.candidates},
        plugin_files=tuple(request.plugin_files),
        places=site.places,
        threads=plan.threads,
        gpus=plan.gpus,
        # A Ray instance of the user's own may give trials other GPUs than this machine has.
        peaks=request.peaks if bool(plan.gpus) == bool(hardware.gpus()) else {},
        verbose=request.verbose,
        variables={**loading_variables(), **hardware.wait_briefly()},
    )
    return tune.with_resources(tune.with_parameters(TrialWorker, shared=shared), site.needs)


def _cluster(resource: str) -> float:
    import ray

    return float(ray.cluster_resources().get(resource, 0.0))  # type: ignore[no-untyped-call]
