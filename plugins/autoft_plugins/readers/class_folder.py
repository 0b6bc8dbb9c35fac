"""A folder for each class, with a text in each file: FOLDER/<class>/*.txt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from autoft.data.names import listed
from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.charset import recognise


class ClassFolder:
    """Columns `text` and `label`, in the order of the names. Hidden files are passed over; anything else beside is refused."""

    name = "class-folder"
    summary = "a folder for each class, with .txt files"
    suffixes: tuple[str, ...] = ()

    def matches(self, path: Path) -> bool:
        return path.is_dir() and any(_is_text(file) for folder in _visible(path) if folder.is_dir() for file in _visible(folder))

    def read(self, path: Path) -> Table:
        folders = [entry for entry in _visible(path) if entry.is_dir()]
        files = [file for folder in folders for file in _visible(folder)]
        _check(path, folders, files)
        texts, notes = [], Counter[str]()
        for file in files:
            charset = recognise(file)
            texts.append(file.read_text(encoding=charset.codec))
            notes[charset.note] += 1
        said = tuple(f"{path.name}: {count:,} of {len(files):,} files {note}" for note, count in notes.items() if note)
        return Table({"text": texts, "label": [file.parent.name for file in files]}, str(path), said)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _is_text(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and file.is_file()


def _check(path: Path, folders: list[Path], files: list[Path]) -> None:
    strange = [entry for entry in _visible(path) if entry not in folders] + [file for file in files if not _is_text(file)]
    if strange:
        found = listed((str(entry.relative_to(path)) for entry in strange), 6)
        what = (
            f"{path} is a folder for each class ({listed((folder.name for folder in folders), 6)}) and holds something else, too: {found}"
        )
        raise DataError(what, hint="leave .txt files within the class folders and nothing else, or give one file")
    filled = {file.parent for file in files}
    bare = [folder.name for folder in folders if folder not in filled]
    if bare:
        raise DataError(f"{path}: the class folder {bare[0]!r} holds no .txt file", hint="remove it, or put texts into it")
