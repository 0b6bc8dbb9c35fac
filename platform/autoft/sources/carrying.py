"""Weights that travel by content, to machines whose disks do not have their folder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autoft.disk import inside
from autoft.errors import SourceError
from autoft.sources.cache import file_sha256, weight_files

Content = npt.NDArray[np.uint8]

_SMALL = ("*.json", "vocab.*", "merges.txt", "*.model", "*.spm", "*.tiktoken")
"""Configuration and tokenizer. Of weights only safetensors travel, as only these are read."""


def carried(folder: Path) -> dict[str, str]:
    """The files of a source that a trial may read, by name, with the sha256 of each. Raises OSError."""
    small = {path for pattern in _SMALL for path in folder.glob(pattern) if path.is_file()}
    return {path.name: file_sha256(path) for path in sorted(small | set(weight_files(folder)))}


def unpack(folder: Path, hashes: Mapping[str, str], read: Callable[[str], Content]) -> None:
    """Write each file of `hashes`, as `read` gives its content by its name: `folder` is there whole then, or not at all.

    Raises SourceError where a content has another sha256, and AutoftError where a name leads out of the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        for name, sha256 in hashes.items():
            path, content = inside(aside, name), read(name)
            if hashlib.sha256(content.data).hexdigest() != sha256:
                raise SourceError(f"{name} of the source did not arrive as it was sent: its sha256 is another", hint="autoft resume RUN")
            path.write_bytes(content.data)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
