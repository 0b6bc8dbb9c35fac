"""A Ray instance for one search: quiet, small, and gone afterwards."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import site
import sys
import sysconfig
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from autoft.environment import environment
from autoft.errors import AutoftError, SettingsError
from autoft.hardware import cores, gpus
from autoft.store.liveness import is_gone, process_identity, this_host
from autoft_autotune import ahead
from autoft_autotune.reaching import reach
from autoft_autotune.resources import Plan

OBJECT_STORE_BYTES = 256 * 2**20
"""For the rows of the data, once; what does not fit Ray spills to disk."""

STARTS = 3
"""Attempts to start Ray."""

PREFIX, OWNER = "autoft-", "owner.json"
"""Of the folder in which Ray, or on a node of a cluster a search, works, and the file in it that says for which process."""

NICENESS = "RAY_worker_niceness"
"""15 by default: on a busy machine a trial would give way to all others, and take several times as long as promised."""

IDLE = "RAY_num_workers_soft_limit"
"""Workers that Ray leaves waiting. By default as many as processors are free: a trial reserves its own before it has a worker, and within
that moment the worker that it was to have may be ended."""

LONGEST_SOCKET_FOLDER = 40
"""A Unix socket's path holds 107 characters, of which Ray's own part takes 64."""


class EarlyRay:
    """Ray that comes up in a thread of its own, while the caller does other things.

    The thread lives as long as Ray does: Linux ends Ray's processes with the thread that started them. Until it is waited for, products of
    matrices have one thread: Ray forks, with code to run in the child, and at each such fork OpenBLAS ends its threads in the parent,
    too; a product that has some then waits for them for ever.
    """

    def __init__(self, concurrency: int | None, models: Sequence[str], *, verbose: bool) -> None:
        import_module("scipy.linalg")  # it has an OpenBLAS of its own, which has to be there to be told
        self._alone = threadpool_limits(1, user_api="blas")
        self._up, self._over = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, args=(concurrency, models, verbose), name="ray", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is up, and its workers are. Raises AutoftError where it does not come up."""
        self._up.wait()
        self._alone.restore_original_limits()
        if self._error is not None:
            raise self._error

    def release(self) -> None:
        """It is needed no more, and ends: beside what comes, but for a GPU, whose memory its workers hold until they are gone."""
        self._over.set()
        if gpus():
            self.close()

    def close(self) -> None:
        """End it; a second time does nothing."""
        self._over.set()
        self._thread.join()
        self._alone.restore_original_limits()

    def _live(self, concurrency: int | None, models: Sequence[str], verbose: bool) -> None:
        try:
            with _silent_log(verbose), _own_ray(concurrency, models, verbose=verbose):
                ahead.wait(self._over.is_set)
                self._up.set()
                self._over.wait()
        except BaseException as error:  # it is raised where it is waited for
            self._error = error
        finally:
            self._up.set()


def early_ray(concurrency: int | None, models: Sequence[str], *, verbose: bool) -> EarlyRay | None:
    """Ray for a search of `concurrency` trials at once of these models, on its way; None where this process runs one already."""
    ray = sys.modules.get("ray")
    return None if ray and ray.is_initialized() else EarlyRay(concurrency, models, verbose=verbose)


@contextlib.contextmanager
def ray_session(plan: Plan, *, verbose: bool) -> Iterator[None]:
    """Ray as it already runs in this process, which is left running, or one of our own.

    The caller's signal handlers, environment and warning filters are as before once this returns, and while it lasts signals reach the
    caller: Ray installs handlers of its own. Raises AutoftError where Ray does not come up.
    """
    with _handlers_kept() as restore_handlers, search_environment(plan), _quiet(verbose):
        import ray
        import ray.tune

        if ray.is_initialized():
            yield
            return
        with _own_ray(plan.concurrency, (), verbose=verbose):
            restore_handlers()
            yield


@contextlib.contextmanager
def _own_ray(concurrency: int | None, models: Sequence[str], *, verbose: bool) -> Iterator[None]:
    folder = own_folder()
    # Which GPU a worker may use it is told with its first trial: before that nothing may look for one, as libraries do.
    early = ahead.variables(folder, () if gpus() else models, concurrency or cores())
    with environment({**_variables(), IDLE: str(_processors(concurrency)), **early}):
        import ray

        try:
            _start(
                address="local",  # whatever RAY_ADDRESS says, or runs here
                num_cpus=_processors(concurrency),
                num_gpus=gpus(),
                include_dashboard=False,
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else logging.CRITICAL,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=folder if len(folder) <= LONGEST_SOCKET_FOLDER else None,
            )
            with _workers_taken_as_they_are():
                yield
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def _processors(concurrency: int | None) -> int:
    """As Ray counts them, which starts as many workers."""
    return max(cores(), concurrency or 0)


@contextlib.contextmanager
def _workers_taken_as_they_are() -> Iterator[None]:
    """Ray Tune gives the actors of trials some of the driver's variables, and Ray starts a process for an actor that has any. These are the
    workers' already, since they inherit them from Ray: within, an actor takes a worker that is there."""
    from ray.tune.execution import class_cache  # with ray.tune, which takes a second: workers come up meanwhile

    before = class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = {}, set()
    try:
        yield
    finally:
        class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = before


@contextlib.contextmanager
def cluster_session(address: str, *, verbose: bool) -> Iterator[None]:
    """This process as a driver of the cluster at `address`, which is left as it was. Raises SettingsError, see `reaching.reach`."""
    with _handlers_kept() as restore_handlers, _quiet(verbose):
        import ray
        from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

        known = reach(address)
        if ray.is_initialized():
            own = ray.get_runtime_context().gcs_address
            if own != known:
                raise SettingsError(f"--ray-address {address}: this process is a driver of another cluster, {own}", hint="ray.shutdown()")
            yield
            return
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        try:
            ray.init(address=known, log_to_driver=verbose, logging_level=logging.INFO if verbose else logging.CRITICAL)
            restore_handlers()
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def search_environment(plan: Plan) -> Iterator[None]:
    """What Ray Tune reads in the driver's environment, and takes from there to workers."""
    threads = str(plan.threads)
    given = {name: os.environ.get(name, threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    with environment({**_variables(), **given, "TUNE_MAX_PENDING_TRIALS_PG": str(plan.concurrency)}):
        yield


def _start(**options: Any) -> None:
    """Ray gives itself 30 seconds to come up, which are too few where many processes share the machine. Raises AutoftError in the end."""
    import ray

    for _ in range(STARTS):
        try:
            ray.init(**options)
        except Exception as error:  # of no class of its own
            if "timed out during startup" not in str(error):
                raise
            ray.shutdown()
        else:
            return
    raise AutoftError(f"Ray did not come up in {STARTS} attempts of half a minute", hint="autoft resume RUN, once the machine is less busy")


def own_folder() -> str:
    """A new temporary folder that says whose it is, once those of processes that are gone have been removed."""
    _sweep()
    folder = tempfile.mkdtemp(prefix=PREFIX)
    owner = {"host": this_host(), "pid": os.getpid(), "process": process_identity(os.getpid())}
    Path(folder, OWNER).write_text(json.dumps(owner), encoding="utf-8")
    return folder


def _sweep() -> None:
    """Remove what processes left that were killed."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER}"):
        try:
            gone = is_gone(**json.loads(owner.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue  # another user's, or one that is just being made
        if gone:
            shutil.rmtree(owner.parent, ignore_errors=True)


def _variables() -> dict[str, str]:
    """For this process and, through inheritance, for Ray's. What the user has set stays, but for what the search relies on."""
    return {
        NICENESS: os.environ.get(NICENESS, "0"),
        "TOKENIZERS_PARALLELISM": "false",
        "PL_DISABLE_FORK": "1",
        "PYTHONPATH": os.pathsep.join(_import_path()),
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
        "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    }


def _import_path() -> list[str]:
    """The driver's own additions to the import path: workers must find the same autoft."""
    usual = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | set(site.getsitepackages())
    own = [entry for entry in sys.path if entry and entry not in usual and Path(entry).is_dir() and not entry.endswith("lib-dynload")]
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return list(dict.fromkeys([*given, *own]))


@contextlib.contextmanager
def _handlers_kept() -> Iterator[Callable[[], None]]:
    main = threading.current_thread() is threading.main_thread()
    names = ("SIGINT", "SIGTERM", "SIGUSR1")
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names if main and hasattr(signal, name)}

    def restore() -> None:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

    try:
        yield restore
    finally:
        restore()


@contextlib.contextmanager
def _quiet(verbose: bool) -> Iterator[None]:
    if verbose:
        yield
        return
    with _silent_log(verbose), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _silent_log(verbose: bool) -> Iterator[None]:
    """Without the filters of warnings, which belong to all threads."""
    if verbose:
        yield
        return
    import ray._private.worker as worker

    logger = logging.getLogger("ray")
    level, printer = logger.level, worker.print_worker_logs
    logger.setLevel(logging.CRITICAL + 1)
    # Ray prints what the raylet says of dead workers whatever its settings; the trial's row says it.
    worker.print_worker_logs = _say_nothing
    try:
        yield
    finally:
        logger.setLevel(level)
        worker.print_worker_logs = printer


def _say_nothing(*_: object, **__: object) -> None:
    """In place of a function of Ray that prints."""
