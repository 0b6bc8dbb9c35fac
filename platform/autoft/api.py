"""The Python interface: `autoft.run`, `autoft.resume`, `autoft.export` and `autoft.load`. The command line calls the same functions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoft.errors import InputError
from autoft.leaderboard import Leaderboard
from autoft.loading import load_predictor

if TYPE_CHECKING:
    from autoft.journal import Listener
    from autoft.runtime.predictor import Predictor
    from autoft.settings import Settings
    from autoft.steps.further import Exports


class Run:
    """A finished run: its folder, what it found, and its answers."""

    def __init__(self, folder: Path, result: dict[str, Any], leaderboard: Leaderboard, plugins: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.result = result
        self.leaderboard = leaderboard
        self._plugins = tuple(plugins)
        self._predictor: Predictor | None = None

    @property
    def bundle(self) -> Path:
        """The folder that is served."""
        return self.folder / "bundle"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def verdict(self) -> str:
        return str(self.result["verdict"])

    def predict(self, inputs: Sequence[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer an input, in order. Raises DataError naming the input that cannot be understood."""
        if self._predictor is None:
            self._predictor = load(self.bundle, plugins=self._plugins)
        return self._predictor.predict(inputs)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.result['best']['candidate']!r})"


def run(data: str | Path, *, listeners: Iterable[Listener] = (), config: Path | None = None, **settings: Any) -> Run:
    """Learn from the file `data`, as `autoft run` does; `settings` are the command's flags with underscores.

    budget: "5m" or seconds; models: list of names; see `autoft.settings.Settings` for all. Raises InputError when the input
    is refused (nothing is written then) and RunFailed when no trial gave a model.
    """
    from autoft.settings import Settings

    started = time.time()
    return execute(Settings.collect({"data": str(data), **settings}, config), started=started, listeners=list(listeners))


def execute(settings: Settings, *, started: float, listeners: Sequence[Listener] = ()) -> Run:
    """Run collected settings; the budget counts from `started` on `time.time()`."""
    from autoft.catalog import Catalog
    from autoft.history import History
    from autoft.plugins import read_plugin_file
    from autoft.store import Store
    from autoft.workflow import fine_tune

    _need_training()
    catalog = Catalog.build([read_plugin_file(path) for path in settings.plugins])
    like = History.read(_run_folder(settings.like, settings.database)) if settings.like else None
    store = Store(settings.database)
    try:
        finished = fine_tune(settings, catalog, started=started, listeners=[*listeners, store.event], like=like)
    finally:
        store.close()
    return Run(finished.folder, finished.result, finished.leaderboard, settings.plugins)


def resume(
    run: str | Path,
    *,
    budget: float | str | None = None,
    ray_address: str | None = None,
    database: str | None = None,
    offline: bool | None = None,
    verbose: bool | None = None,
    started: float | None = None,
    listeners: Iterable[Listener] = (),
) -> Run:
    """Go on with a run that was killed, aborted or failed, as `autoft resume` does. `run` is its folder, its id or a beginning of it, or
    "last".

    `budget`: seconds, or "5m", from now on; without it what is left of the run's own. `ray_address` is the cluster that searches, where it
    is not the run's own, or "local" for this machine. `database` is where the list of runs is, where it is not the run's own. `offline`
    fetches nothing, or allows it again, where the run is otherwise. `started`, on `time.time()`, is when this began, where that is not now.
    Raises InputError for a run that has ended or is alive, and where the data, a source or a plugin file is not what it was; RunFailed when
    no trial gave a model.
    """
    from autoft.catalog import Catalog
    from autoft.history import History
    from autoft.plugins import read_plugin_file
    from autoft.steps.reopen import directory, refuse_ended, same_plugins, settings_of
    from autoft.store import Store
    from autoft.store.liveness import held
    from autoft.workflow import fine_tune

    started = time.time() if started is None else started
    _need_training()
    folder = _run_folder(run, database)
    with held(folder):
        past = History.read(folder)
        refuse_ended(past)
        settings = settings_of(past, budget=budget, database=database, verbose=verbose, ray_address=ray_address, offline=offline)
        with contextlib.chdir(directory(past)):
            catalog = Catalog.build([read_plugin_file(path) for path in settings.plugins])
            same_plugins(past, catalog.plugin_files)
            store = Store(settings.database)
            try:
                finished = fine_tune(settings, catalog, started=started - past.spent, listeners=[*listeners, store.event], past=past)
            finally:
                store.close()
            plugins = [path.absolute() for path in settings.plugins]
    return Run(finished.folder, finished.result, finished.leaderboard, plugins)


def export(
    run: str | Path,
    to: Sequence[str] = (),
    *,
    max_loss: float | None = None,
    only: bool = False,
    trim_vocabulary: bool = False,
    database: str | None = None,
) -> Exports:
    """Add formats to the bundle of a run that has ended: `to` are names of exporters, the first is served from now on.

    `max_loss`: points of the metric that rounding and trimming may cost, where it is not the run's own; `only`: all other formats go;
    `trim_vocabulary`: the bundle is made anew, in the formats `to` or in its own, of the model without tokens that the data hardly need.
    Raises InputError for a run without a bundle or whose data is gone or another, ExportError where none of the formats holds.
    """
    if not to and not trim_vocabulary:
        raise InputError("no format was named", hint='autoft.export(run, ["onnx-int8"])')
    from autoft.catalog import Catalog
    from autoft.history import History
    from autoft.plugins import read_plugin_file
    from autoft.process import quiet
    from autoft.steps.further import add_to_bundle
    from autoft.steps.reopen import directory, same_plugins, settings_of
    from autoft.store import Store
    from autoft.store.liveness import held

    _need_training()
    folder = _run_folder(run, database)
    with held(folder):
        past = History.read(folder)
        settings = settings_of(past, budget=None, database=database, verbose=None)
        with contextlib.chdir(directory(past)), quiet(settings.verbose):
            catalog = Catalog.build([read_plugin_file(path) for path in settings.plugins])
            same_plugins(past, catalog.plugin_files)
            store = Store(settings.database)
            listeners = [store.event]
            try:
                return add_to_bundle(
                    past, settings, catalog, to, max_loss=max_loss, only=only, trim_vocabulary=trim_vocabulary, listeners=listeners
                )
            finally:
                store.close()


def _run_folder(run: str | Path, database: str | None) -> Path:
    """A folder is known by what it holds, whatever the database says of it."""
    if (Path(run) / "run.json").exists():
        return Path(run).resolve()
    from autoft.store import Store

    store = Store(database)
    try:
        folder = Path(store.find_run(str(run)).folder)
    finally:
        store.close()
    if not (folder / "run.json").exists():
        raise InputError(f"the run's folder {folder} is gone", hint="autoft runs lists the runs and their folders")
    return folder


def _need_training() -> None:
    """Raises SettingsError where only the base is installed."""
    from importlib.util import find_spec

    from autoft.errors import SettingsError

    missing = [name for name in ("torch", "transformers", "ray", "optuna", "sklearn", "onnx", "psutil") if find_spec(name) is None]
    if missing:
        raise SettingsError(f"a run needs what is not installed here: {', '.join(missing)}", hint="pip install 'autoft[train]'")


def load(
    bundle: str | Path,
    *,
    plugins: Sequence[str | Path] = (),
    threads: int | None = None,
    format: str | None = None,
    abstain_below: float | None = None,
    out_of_domain: bool = False,
) -> Predictor:
    """Open a bundle for answers, in one of its formats by name; needs neither torch nor transformers. Raises BundleError when a file is not
    what was proved.

    With `abstain_below` an answer of one class says whether it is `sure`: whether its probability is no less. With
    `out_of_domain` it has the share of the validation rows that are less strange to the model.
    """
    files = [Path(plugin) for plugin in plugins]
    return load_predictor(
        Path(bundle), plugin_files=files, threads=threads, exporter=format, abstain_below=abstain_below, out_of_domain=out_of_domain
    )
