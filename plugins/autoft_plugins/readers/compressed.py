"""One compressed data file: .gz, .zst, or a .zip with one data file in it."""

from __future__ import annotations

import gzip
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from autoft.data.aside import BLOCK, read_aside
from autoft.data.names import listed
from autoft.data.table import Table
from autoft.errors import DataError, UnknownFormatError
from autoft.interfaces.reader import Reader
from autoft_plugins.readers.conll import Conll
from autoft_plugins.readers.content import ByContent
from autoft_plugins.readers.delimited import Delimited
from autoft_plugins.readers.json_file import JsonFile, JsonLines
from autoft_plugins.readers.libraries import need

GROWTH = 200
"""Text grows three to twenty times when it is unpacked; beyond this it is no data."""
ALWAYS = 64 << 20
"""Bytes that are unpacked whatever they grew from."""

_INSIDE: tuple[Reader, ...] = (Conll(), Delimited(), JsonFile(), JsonLines(), ByContent())
_ENDINGS = tuple(ending for reader in _INSIDE for ending in reader.suffixes)
_BESIDE = ("readme", "license", "licence", "notice", "changelog")


class Compressed:
    """The content is unpacked into a temporary file of a fixed name: no name in an archive is ever a path on disk."""

    name = "compressed"
    summary = "compressed CSV, TSV, JSON, JSON lines and CoNLL: .gz, .zst, or .zip with one file"
    suffixes: tuple[str, ...] = (".gz", ".zip", ".zst")

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        if path.suffix.lower() == ".zip":
            return _read_zip(path)
        opened, damages = _gzip(path) if path.suffix.lower() == ".gz" else _zstandard(path)
        with opened as file:
            return _read(path, path.stem, _unpacked(path, file, path.stat().st_size, damages))


def _read(path: Path, member: str, blocks: Iterable[bytes]) -> Table:
    ending = PurePosixPath(member).suffix.lower()
    if ending not in ("", *_ENDINGS):
        what = f"{path}: {member!r} is compressed there, and files ending in {ending!r} are not read compressed"
        raise UnknownFormatError(what, hint=f"unpack it, or compress one of {', '.join(_ENDINGS)}")
    name = f"unpacked{ending}"
    return read_aside(blocks, str(path), name, lambda file: next(reader for reader in _INSIDE if reader.matches(file)).read(file))


def _gzip(path: Path) -> tuple[IO[bytes], tuple[type[Exception], ...]]:
    return gzip.GzipFile(path), (gzip.BadGzipFile, EOFError, zlib.error)  # type: ignore[return-value]


def _zstandard(path: Path) -> tuple[IO[bytes], tuple[type[Exception], ...]]:
    library: Any = need("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", path, "zstd")
    return library.open(path), (library.ZstdError, EOFError)


def _read_zip(path: Path) -> Table:
    damages = (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError)
    try:
        archive = zipfile.ZipFile(path)
    except damages as error:
        raise _damaged(path, error) from error
    with archive:
        member = _only(path, archive)
        if member.flag_bits & 1:
            raise DataError(f"{path}: {member.filename!r} is encrypted", hint="unpack it with its password and give the file")
        try:
            file = archive.open(member)
        except damages as error:
            raise _damaged(path, error) from error
        with file:
            return _read(path, member.filename, _unpacked(path, file, member.compress_size, damages))


def _only(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one data file; what systems and authors put beside data does not count."""
    found = [one for one in archive.infolist() if not one.is_dir() and not _is_hidden(PurePosixPath(one.filename))]
    data = [one for one in found if _is_data(PurePosixPath(one.filename))]
    if len(data) == 1:
        return data[0]
    if not data:
        holds = listed(one.filename for one in found) or "nothing"
        raise DataError(f"{path} holds no data file: it holds {holds}", hint=f"put one of {', '.join(_ENDINGS)} into it")
    what = f"{path} holds {len(data)} data files: {listed(one.filename for one in data)}; one is wanted"
    raise DataError(what, hint="unpack it and give one of them; --validation FILE and --test FILE take others")


def _is_hidden(name: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)


def _is_data(name: PurePosixPath) -> bool:
    return name.suffix.lower() in _ENDINGS and not name.stem.lower().startswith(_BESIDE)


def _unpacked(path: Path, file: IO[bytes], packed: int, damages: tuple[type[Exception], ...]) -> Iterator[bytes]:
    """Raises DataError where the content is damaged, or grows beyond what data does."""
    size = 0
    while True:
        try:
            block = file.read(BLOCK)
        except damages as error:
            raise _damaged(path, error) from error
        if not block:
            return
        size += len(block)
        if size > max(ALWAYS, GROWTH * packed):
            what = f"{path} grows to more than {GROWTH} times its size when it is unpacked, which text does not"
            raise DataError(what, hint="unpack it yourself and look at what it holds")
        yield block


def _damaged(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{path} cannot be unpacked: {reason}", hint="it is damaged or no such archive: compress it again")
