"""What the end of a run imports, imported while trials run: they have processes of their own, and this one waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from autoft.interfaces.exporter import Exporter, Preloads


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
