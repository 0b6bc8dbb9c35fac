"""What BUNDLE on a command line stands for."""

from __future__ import annotations

import os
from pathlib import Path

import click

from autoft.errors import BundleError

_MANIFEST = "autoft.json"


def bundle_folder(text: str) -> Path:
    """The bundle that `text` names: its folder, a run's output folder, a run's id or a unique beginning of it, or `last`.

    `last` is the newest run that left a bundle; which one that is goes to standard error. Raises BundleError for a folder that is no
    bundle and InputError for an unknown run. Only the latter two open the database.
    """
    folder = Path(text)
    if folder.exists():
        return _in_folder(folder)
    if os.sep in text or text.startswith("."):
        raise BundleError(f"there is no folder {text}", hint="`autoft runs` lists the runs and their folders")
    from autoft.store import find_run

    return _newest() if text == "last" else _in_folder(Path(find_run(text).folder))


def _newest() -> Path:
    from autoft.store import Store, find_run

    store = Store()
    try:
        runs = store.runs()
    finally:
        store.close()
    for run in runs:
        bundle = Path(run.folder) / "bundle"
        if (bundle / _MANIFEST).exists():
            click.echo(f"last is {run.id}: {run.task} on {run.data}", err=True)
            return bundle
    if not runs:
        find_run("last")
    raise BundleError(f"no run has left a bundle yet; the newest, {runs[0].id}, is {runs[0].status}", hint="autoft runs")


def _in_folder(folder: Path) -> Path:
    if not folder.is_dir():
        if not folder.exists():
            raise BundleError(f"the run's folder {folder} is gone", hint="`autoft runs` lists the runs and their folders")
        raise BundleError(f"{folder} is a file; a bundle is a folder", hint=f"give the folder that holds {_MANIFEST}")
    inner = folder / "bundle"
    if (folder / _MANIFEST).exists():
        return folder
    if (inner / _MANIFEST).exists():
        return inner
    if (folder / "run.json").exists():
        raise BundleError(f"the run in {folder} has left no bundle: it has not ended, or it failed", hint=f"autoft runs show {folder}")
    raise BundleError(f"{folder} is no bundle: it has no {_MANIFEST}", hint="give the folder `bundle` that `autoft run` left")
