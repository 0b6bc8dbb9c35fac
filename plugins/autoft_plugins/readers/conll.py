"""CoNLL files: a word a line, its tag in the last column, a blank line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.charset import Charset, beginning, recognise

DOCUMENT = "-DOCSTART-"
"""The first column of a line that opens a document and is no word."""
_ALSO = (".txt", ".tsv", ".tab")
_TAG = re.compile(r"O|[BIESLUM]-\S+")
_BLANKS = re.compile(r"[ \t]+")
_HINT = "give each word a line of its own, `word tag`, and each sentence a blank line after it"


class Conll:
    """Columns `tokens` and `ner_tags`, lists of strings. Tables of words under other endings are taken where they plainly are such."""

    name = "conll"
    summary = "CoNLL: a word and its tag a line, a blank line between sentences"
    suffixes: tuple[str, ...] = (".conll", ".bio", ".iob", ".iob2")

    def matches(self, path: Path) -> bool:
        ending = path.suffix.lower()
        return not path.is_dir() and (ending in self.suffixes or (ending in _ALSO and path.is_file() and is_plainly_conll(beginning(path))))

    def read(self, path: Path) -> Table:
        charset = recognise(path)
        tokens: list[list[str]] = []
        tags: list[list[str]] = []
        for sentence in _sentences(path, charset):
            words, marks = zip(*sentence, strict=True)
            tokens.append(list(words))
            tags.append(list(marks))
        if not tokens:
            raise DataError(f"{path} holds no sentence", hint=_HINT)
        return Table({"tokens": tokens, "ner_tags": tags}, str(path), (f"{path.name}: {charset.note}",) if charset.note else ())


def is_plainly_conll(lines: list[str]) -> bool:
    """Whether rows of one width end in O, B-..., I-... and the like, with a blank line somewhere between them. One in ten may not, so
    that a file with a fault is refused as what it is."""
    rows = [_cells(line, tabbed="\t" in line) for line in lines if line.strip() and not line.startswith(("# ", DOCUMENT))]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    tagged = [row for row in rows if len(row) == len(rows[0]) > 1 and _TAG.fullmatch(row[-1])]
    if not rows or len(tagged) < 0.9 * len(rows):
        return False
    return any(row[-1] != "O" for row in tagged) and filled[-1] - filled[0] >= len(filled)


def _cells(line: str, *, tabbed: bool) -> list[str]:
    # A no-break space can be a word: only blanks and tabs part cells.
    return line.split("\t") if tabbed else _BLANKS.split(line.strip(" \t"))


def _sentences(path: Path, charset: Charset) -> Iterator[list[tuple[str, str]]]:
    sentence: list[tuple[str, str]] = []
    width, tabbed = 0, False
    with path.open(encoding=charset.codec) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip():
                if sentence:
                    yield sentence
                sentence = []
                continue
            cells = _cells(line, tabbed=tabbed if width else "\t" in line)
            if cells[0].split()[:1] == [DOCUMENT] or (not sentence and _is_comment(line, cells, width)):
                continue
            if not width:
                width, tabbed = len(cells), "\t" in line
            _check(path, number, cells, width, "tabs" if tabbed else "blanks")
            sentence.append((cells[0], cells[-1]))
    if sentence:
        yield sentence


def _is_comment(line: str, cells: list[str], width: int) -> bool:
    """A line at the head of a sentence that begins with a number sign and a blank; `# O` is a word with its tag."""
    return line.startswith("# ") and not (len(cells) == (width or 2) and _TAG.fullmatch(cells[-1]))


def _check(path: Path, number: int, cells: list[str], width: int, parted: str) -> None:
    if width < 2:
        raise DataError(f"{path}, line {number}: the line has one column, {cells[0][:40]!r}; a word and its tag are wanted", hint=_HINT)
    if len(cells) != width:
        what = f"the line has {len(cells)} columns, the first one has {width} (parted by {parted})"
        raise DataError(f"{path}, line {number}: {what}", hint=_HINT)
    if not cells[0].strip(" ") or not cells[-1].strip():
        raise DataError(f"{path}, line {number}: the {'word' if cells[-1].strip() else 'tag'} is empty", hint=_HINT)
