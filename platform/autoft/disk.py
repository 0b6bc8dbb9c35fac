"""Files that are whole or not there, also where the power fails."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from autoft.errors import AutoftError


def remove(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def take_place(fresh: Path, place: Path) -> None:
    """The folder `fresh` becomes `place`, by renaming: what was there is gone then, and comes back where that fails."""
    if not place.exists():
        fresh.rename(place)
        return
    before = fresh.with_name(f"{fresh.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    place.rename(before)
    try:
        fresh.rename(place)
    except BaseException:
        before.rename(place)
        raise
    shutil.rmtree(before, ignore_errors=True)


def inside(folder: Path, name: str) -> Path:
    """The file that `name`, with `/` between its parts, is below `folder`. Raises AutoftError where it would lie elsewhere."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts):
        raise AutoftError(f"{name!r} is no name of a file below {folder}")
    return folder.joinpath(*parts)


def to_disk(file: IO[str]) -> None:
    """What was written is there whatever happens next."""
    file.flush()
    os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write aside, then rename: whoever sees the file sees all of it, also where a signal handler writes the same one meanwhile. It may be
    gone after the power failed."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write aside, then rename."""
    aside = path.with_name(path.name + ".new")
    with aside.open("w", encoding="utf-8") as file:
        file.write(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str) + "\n")
        to_disk(file)
    aside.replace(path)


def _finite(value: object) -> object:
    """What is not a number, such as the rank correlation of a constant, is null: JSON has no word for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
