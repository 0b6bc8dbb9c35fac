"""What trials import, imported before there is one, by the workers that Ray starts with itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from autoft.guard import guarded, time_limit

MOST = 4
"""Workers that do so: each holds the libraries in memory, needed or not."""

_FOLDER, _MODELS, _WORKERS = "AUTOFT_AHEAD_FOLDER", "AUTOFT_AHEAD_MODELS", "AUTOFT_AHEAD_WORKERS"
_ENDED = ".ended"


def variables(folder: str, models: Sequence[str], workers: int) -> dict[str, str]:
    """For Ray's environment: with them so many of its workers, `MOST` at most, do so for these models, and leave a note in `folder`. They
    are the first that come up, which Ray gives away first."""
    told = {_FOLDER: folder, _MODELS: json.dumps(list(models)), _WORKERS: str(min(workers, MOST))}
    return {**told, "RAY_preload_python_modules": f"{__package__}.worker_start"} if models else {}


def import_libraries() -> None:
    """In a worker, as it starts. Raises nothing: Ray would take the worker for dead."""
    folder, models = os.environ.get(_FOLDER), os.environ.get(_MODELS)
    if not folder or not models:
        return
    with suppress(Exception):
        note = _taken(Path(folder))
        if note is not None:
            try:
                _import(json.loads(models))
            finally:
                note.with_suffix(_ENDED).touch()


def wait(over: Callable[[], bool]) -> None:
    """Until they have ended it, or it is `over`; no longer than a plugin may take."""
    folder, until = os.environ.get(_FOLDER), time.monotonic() + time_limit()
    if folder is None:
        return
    while not over() and time.monotonic() < until and len([*Path(folder).glob(f"*{_ENDED}")]) < int(os.environ[_WORKERS]):
        time.sleep(0.05)


def memory() -> int:
    """Bytes that those workers hold, which trials will not need a second time."""
    import psutil

    held = 0
    for note in Path(os.environ.get(_FOLDER, os.devnull)).glob(f"*{_ENDED}"):
        with suppress(OSError, ValueError, psutil.Error):
            held += int(psutil.Process(int(note.with_suffix("").read_text(encoding="ascii"))).memory_full_info().uss)
    return held


def _taken(folder: Path) -> Path | None:
    """The note of this worker; None where there are enough."""
    for number in range(int(os.environ[_WORKERS])):
        with suppress(FileExistsError), (folder / str(number)).open("x", encoding="ascii") as note:
            note.write(str(os.getpid()))
            return folder / str(number)
    return None


def _import(models: Sequence[str]) -> None:
    from autoft.catalog import Catalog
    from autoft.interfaces.model import Imports

    import_module(f"{__package__}.trainable")
    known = Catalog.build(kinds=("models",)).models  # those of a --plugin file are not there yet
    for name in models:
        model = known.get(name)
        if isinstance(model, Imports):
            guarded(model.import_libraries, name)
