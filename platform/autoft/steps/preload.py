"""What a run imports ahead: what its models need while the tuner comes up, and what its end needs while trials run elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from autoft.guard import time_limit
from autoft.interfaces.exporter import Exporter, Preloads
from autoft.interfaces.model import Imports, Model


def import_libraries(models: Sequence[Model]) -> None:
    """Those of all models that tell of them; what does not end in the time that a plugin has is not waited for."""
    thread = Thread(target=_import, args=([model for model in models if isinstance(model, Imports)],), name="libraries", daemon=True)
    thread.start()
    thread.join(time_limit())


def _import(models: Sequence[Imports]) -> None:
    for model in models:
        with suppress(Exception):  # a trial raises it again, where it is told
            model.import_libraries()


@contextmanager
def preloading(exporters: Sequence[Exporter]) -> Iterator[Callable[[], None]]:
    """Yields a function that begins it, and that does nothing a second time. Left in good order, nothing is imported any more: a module
    is not to be imported by two threads at once."""
    thread = Thread(target=_preload, args=(exporters,), name="preload", daemon=True)

    def begin() -> None:
        if thread.ident is None:
            thread.start()

    yield begin
    if thread.ident is not None:
        thread.join()


def _preload(exporters: Sequence[Exporter]) -> None:
    for exporter in exporters:
        if isinstance(exporter, Preloads):
            with suppress(Exception):  # the export raises it again, where it can be told
                exporter.preload()
