"""fastText's files: a text a line, behind its labels."""

from __future__ import annotations

import re
from pathlib import Path

from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.charset import beginning, recognise

_LABEL = "__label__"
_LINE = re.compile(rf"((?:{_LABEL}\S+\s+)+)(.*\S)\s*")


class FastText:
    """`__label__good Works well`: columns `text` and `label`, a list of labels where some line has several."""

    name = "fasttext"
    summary = "fastText: a text a line, behind __label__NAME"
    suffixes: tuple[str, ...] = (".txt",)

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in (*self.suffixes, ".train", ".valid") and path.is_file() and is_plainly_fasttext(beginning(path))

    def read(self, path: Path) -> Table:
        charset = recognise(path)
        texts: list[str] = []
        labels: list[list[str]] = []
        with path.open(encoding=charset.codec) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                found = _LINE.fullmatch(line)
                if found is None:
                    what = f"{path}, line {number}: the line is no text behind a label"
                    raise DataError(what, hint=f"begin each line as fastText does: {_LABEL}NAME and a blank")
                labels.append([label.removeprefix(_LABEL) for label in found[1].split()])
                texts.append(found[2])
        single = all(len(row) == 1 for row in labels)
        columns = {"text": texts, "label": [row[0] for row in labels] if single else labels}
        return Table(columns, str(path), (f"{path.name}: {charset.note}",) if charset.note else ())


def is_plainly_fasttext(lines: list[str]) -> bool:
    """Whether each line that is not empty begins with a label."""
    filled = [line for line in lines if line.strip()]
    return bool(filled) and all(line.startswith(_LABEL) for line in filled)
