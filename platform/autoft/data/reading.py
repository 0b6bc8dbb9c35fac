"""From a path to a table, by the first reader that takes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Protocol

from autoft.data.aside import BLOCK, read_aside
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError, UnknownFormatError

STDIN = Path("-")
"""The path that stands for standard input."""
SHOWS_FAILURES = "autoft plugins shows what each plugin gives and what failed to load"
_PARTS = {"train": ("train", "training"), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
STDIN_NAME = "stdin"


class _Reader(Protocol):
    # `autoft.interfaces.reader.Reader` as far as it is used here; that layer lies above this one.
    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> bool: ...

    def read(self, path: Path) -> Table: ...


def read_table(path: Path, readers: Sequence[_Reader], unloaded: Sequence[str] = ()) -> Table:
    """The table in a file, a folder, or standard input (`-`), which a reader of files without an ending takes.

    `unloaded` are lines about plugins that did not load: one of them may have the reader that is missed.
    Raises DataError: no such file (the nearest name is offered), no reader for it, nothing in it, or what the reader says.
    """
    try:
        table = _read_stdin(readers) if path == STDIN else _read(path, readers)
    except UnknownFormatError as error:
        if not unloaded:
            raise
        raise UnknownFormatError("\n".join([error.message, *unloaded]), hint=f"{SHOWS_FAILURES}; or {error.hint}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory", hint="give a part of its rows") from error
    if not len(table):
        raise DataError(f"{path} holds no rows", hint="give a file with a row for each example")
    return table


def _read_stdin(readers: Sequence[_Reader]) -> Table:
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError("standard input is a terminal, not data", hint="cat data.csv | autoft run -")
    blocks = iter(lambda: sys.stdin.buffer.read(BLOCK), b"")
    return read_aside(blocks, STDIN_NAME, STDIN_NAME, lambda file: _read(file, readers))


def _read(path: Path, readers: Sequence[_Reader]) -> Table:
    if not path.exists():
        raise _missing(path)
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it has 0 bytes", hint="give a file with a header line and a row for each example")
    reader = next((reader for reader in readers if reader.matches(path)), None)
    if reader is None:
        raise _unknown_folder(path, readers) if path.is_dir() else _unknown_file(path, readers)
    return reader.read(path)


def _missing(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(f"there is no file {path}: the folder {folder} does not exist")
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    close = nearest(path.name, names)
    hint = f"did you mean {folder / close}?" if close else "`autoft examples` writes example data to try"
    return DataError(f"there is no file {path}", hint=hint)


def _unknown_file(path: Path, readers: Sequence[_Reader]) -> DataError:
    ending = f"files ending in {path.suffix!r} are not" if path.suffix else "a file without an ending is not"
    return UnknownFormatError(f"{path}: {ending} understood; understood are {_suffixes(readers)}", hint="save the table as CSV in UTF-8")


def _unknown_folder(path: Path, readers: Sequence[_Reader]) -> DataError:
    found = sorted(entry for entry in path.iterdir() if any(reader.matches(entry) for reader in readers))
    parts = {part: entry for part, names in _PARTS.items() for entry in found if entry.stem.lower() in names}
    files = [entry for entry in found if entry.is_file()]
    if "train" in parts:
        flags = [f"--{part} {quote(str(parts[part]))}" for part in ("validation", "test") if part in parts]
        what = f"it is a folder of parts, {listed(entry.name for entry in parts.values())}"
        return DataError(f"{path} is no data set: {what}", hint=" ".join(["autoft run", quote(str(parts["train"])), *flags]))
    if files:
        what = f"it is a folder with {listed(entry.name for entry in files)}"
        return UnknownFormatError(f"{path} is no data set: {what}", hint=f"give one of the files: {files[0]}")
    content = listed(sorted(entry.name for entry in path.iterdir())) or "nothing"
    hint = f"give a file ({_suffixes(readers)}), a folder that `datasets` wrote with save_to_disk, or a folder of .txt files for each class"
    return UnknownFormatError(f"{path} is no data set: it is a folder that holds {content}", hint=hint)


def _suffixes(readers: Sequence[_Reader]) -> str:
    return ", ".join(dict.fromkeys(suffix for reader in readers for suffix in reader.suffixes))
