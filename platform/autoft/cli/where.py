"""What BUNDLE on a command line stands for."""

from __future__ import annotations

import os
from pathlib import Path

from autoft.errors import BundleError

_MANIFEST = "autoft.json"


def bundle_folder(text: str) -> Path:
    """The bundle that `text` names: its folder, a run's output folder, a run's id or a unique beginning of it, or `last`.

    Raises BundleError for a folder that is no bundle and InputError for an unknown run. Only the latter two open the database.
    """
    folder = Path(text)
    if folder.exists():
        return _in_folder(folder)
    if os.sep in text or text.startswith("."):
        raise BundleError(f"there is no folder {text}", hint="`autoft runs` lists the runs and their folders")
    from autoft.store import find_run

    return _in_folder(Path(find_run(text).folder))


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
