"""The Python interface: `autoft.run` and `autoft.load`. The command line calls the same functions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoft.leaderboard import Leaderboard
from autoft.loading import load_predictor

if TYPE_CHECKING:
    from autoft.journal import Listener
    from autoft.runtime.predictor import Predictor
    from autoft.settings import Settings


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
    from autoft.plugins import read_plugin_file
    from autoft.store import Store
    from autoft.workflow import fine_tune

    _need_training()
    catalog = Catalog.build([read_plugin_file(path) for path in settings.plugins])
    store = Store(settings.database)
    try:
        finished = fine_tune(settings, catalog, started=started, listeners=[*listeners, store.event])
    finally:
        store.close()
    return Run(finished.folder, finished.result, finished.leaderboard, settings.plugins)


def _need_training() -> None:
    """Raises SettingsError where only the base is installed."""
    from importlib.util import find_spec

    from autoft.errors import SettingsError

    missing = [name for name in ("torch", "transformers", "ray", "optuna", "sklearn", "onnx", "psutil") if find_spec(name) is None]
    if missing:
        raise SettingsError(f"a run needs what is not installed here: {', '.join(missing)}", hint="pip install 'autoft[train]'")


def load(bundle: str | Path, *, plugins: Sequence[str | Path] = (), threads: int | None = None) -> Predictor:
    """Open a bundle for answers; needs neither torch nor transformers. Raises BundleError when a file is not what was proved."""
    return load_predictor(Path(bundle), plugin_files=[Path(p) for p in plugins], threads=threads)
