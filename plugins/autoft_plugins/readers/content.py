"""Files without an ending, standard input among them: what they hold says how they are read."""

from __future__ import annotations

import json
from pathlib import Path

from autoft.data.table import Table
from autoft.interfaces.reader import Reader
from autoft_plugins.readers.charset import beginning
from autoft_plugins.readers.conll import Conll, is_plainly_conll
from autoft_plugins.readers.delimited import Delimited
from autoft_plugins.readers.json_file import JsonFile, JsonLines


class ByContent:
    """JSON lines, JSON, CoNLL, else CSV or TSV."""

    name = "content"
    summary = "standard input and files without an ending: CSV, TSV, JSON, JSON lines or CoNLL"
    suffixes: tuple[str, ...] = ()

    def matches(self, path: Path) -> bool:
        return not path.suffix and not path.is_dir()

    def read(self, path: Path) -> Table:
        return reader_of(path).read(path)


def reader_of(path: Path) -> Reader:
    """The reader for what the first lines look like; text that looks like nothing else is taken for CSV."""
    lines = [line.lstrip("\ufeff") for line in beginning(path)]
    filled = [line.strip() for line in lines if line.strip()]
    if filled and filled[0].startswith("{"):
        return JsonLines() if len(filled) > 1 and _is_object(filled[0]) else JsonFile()
    if filled and filled[0].startswith("[") and "".join(filled[:2])[1:].lstrip()[:1] in ("{", "]", ""):
        return JsonFile()
    return Conll() if is_plainly_conll(lines) else Delimited()


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
