"""A file of answers, whatever its size: written in whole windows of rows, and gone on with where a process was killed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from autoft.errors import DataError
from autoft.runtime.bundle import sha256_of
from autoft.runtime.columnar import PARQUET, Parts
from autoft.runtime.files import DELIMITERS, LINES, column_name
from autoft.runtime.predictor import CHUNK, TRUNCATED, Predictor, well_formed

KINDS = (*DELIMITERS, *LINES, *PARQUET)
"""Endings of the files that can be written."""

COMMIT_SECONDS = 1.0
"""So often at most the disk is waited for; so much at most is answered again after a kill."""

SCHEMA = 1
Pair = tuple[Mapping[str, Any], Mapping[str, Any]]


def work_of(predictor: Predictor, source: Path, columns: Mapping[str, str], format_name: str | None) -> dict[str, Any]:
    """What answers follow from: a file that was begun is gone on with only where all of it is the same."""
    manifest = predictor.bundle.manifest
    told = manifest.model_dump_json(exclude={"advice", "output_schema"})  # the one may change, the other follows from a flag, too
    return {
        "input": fingerprint(source),
        "bundle": hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest(),
        "settings": {
            "format": predictor.bundle.format(format_name),
            "columns": dict(columns),
            "abstain_below": predictor.abstain_below,
            "out_of_domain": predictor.out_of_domain,
            "batch": predictor.batch,
            "window": CHUNK,
        },
    }


def fingerprint(path: Path) -> dict[str, Any]:
    """Size and sha256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


class AnswerFile:
    """Each row with all its columns and its answer's beside them: CSV, TSV, JSON lines or Parquet, by the ending of `path`.

    An answer's column whose name the rows have already is called `predicted_<name>`. In CSV, labels stand in one cell with | between them
    and beside them `score_<label>` for each label there is, spans stand in one cell as JSON, and the scores of the classes that were not
    chosen are left out. The file appears under its name once it is whole; until then `<path>.part` (Parquet: the folder `<path>.parts`)
    holds the rows that are there, and `<path>.journal` how many of them are safely on the disk, and what they follow from.

    `work` is that (`work_of`); without it nothing is kept and nothing can be resumed. `rows` is how many rows there are already.
    Raises DataError, also where a file was begun from something else.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        answer_schema: Mapping[str, Any],
        *,
        work: Mapping[str, Any] | None = None,
        resume: bool = False,
        row_types: Any = None,
    ) -> None:
        if path.suffix.lower() not in KINDS:
            raise DataError(f"--output {path}: a file ending in {path.suffix!r} cannot be written", hint=f"choose {', '.join(KINDS)}")
        self.path, self._work = path, work
        self._journal = path.with_name(f"{path.name}.journal")
        self.left_behind = _rows_of(self._journal)
        state = self._state() if resume else {}
        self._done: tuple[int, Any] = (int(state.get("rows", 0)), state.get("body"))  # rows, and the body that holds just them
        self._committed, self._at = self.rows, -math.inf
        with _disk(path):
            kind = path.suffix.lower()
            self._body: _Body
            if kind in PARQUET:
                self._body = Parts(path, names, answer_schema, row_types)
            else:
                self._body = _Text(path, names, DELIMITERS.get(kind))
            # Killed between taking its name and giving up its journal, a file is whole.
            self._whole = bool(state.get("whole")) and path.exists() and not self._body.is_there()
            if not state:
                self._journal.unlink(missing_ok=True)
            if not self._whole:
                self._body.open(state.get("body"))

    @property
    def rows(self) -> int:
        return self._done[0]

    def write(self, pairs: Sequence[Pair]) -> None:
        """A window of rows behind those that are there."""
        with _disk(self.path, self._kept()):
            self._done = (self.rows + len(pairs), self._body.write(pairs))
            if self._work is not None and time.monotonic() - self._at >= COMMIT_SECONDS:
                self._commit()

    def finish(self) -> None:
        """All rows are there: the file takes its name."""
        with _disk(self.path, self._kept()):
            if not self._whole:
                if self._work is not None:
                    self._commit(whole=True)
                self._body.finish()
            self._journal.unlink(missing_ok=True)
            self._body.clean()

    def discard(self) -> None:
        """Nothing of it stays."""
        with contextlib.suppress(OSError):
            self._body.close()
            self._body.clean()
            self._journal.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave all as it is on the disk."""
        with contextlib.suppress(OSError):
            self._body.close()

    def keep(self) -> int:
        """Stop here, in order; returns how many rows `resume` finds."""
        if self._work is None or not self.rows:
            self.discard()
            return 0
        with _disk(self.path):
            self._commit()
            self._body.close()
        return self.rows

    def _commit(self, *, whole: bool = False) -> None:
        rows, body = self._done
        self._body.secure()
        aside = self._journal.with_name(f"{self._journal.name}.new")
        with aside.open("w", encoding="utf-8") as file:
            json.dump({"schema": SCHEMA, "rows": rows, "whole": whole, "work": self._work, "body": body}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._journal)
        self._committed, self._at = rows, time.monotonic()

    def _kept(self) -> int:
        return self._committed if self._work is not None else 0

    def _state(self) -> dict[str, Any]:
        """What the journal says, {} where there is none. Raises DataError where it speaks of other work."""
        try:
            state = json.loads(self._journal.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DataError(f"{self._journal} cannot be read: {error}", hint="begin anew: leave out --resume") from None
        if not isinstance(state, dict) or state.get("schema") != SCHEMA:
            raise DataError(f"{self._journal} is of another release of autoft", hint="begin anew: leave out --resume")
        before, now = state["work"], self._work or {}
        for what, words in (("input", "another input file"), ("bundle", "another bundle"), ("settings", "other settings")):
            if before.get(what) != now.get(what):
                raise DataError(
                    f"{self.path} was begun with {words}: its {state['rows']:,} rows would not go with those to come",
                    hint=f"give the {what} as before, or begin anew: leave out --resume",
                )
        return state


class _Body(Protocol):
    """What holds the rows until they are all there."""

    def is_there(self) -> bool: ...

    def open(self, state: Any) -> None:
        """Begin, or go on behind what `state`, of an earlier `write`, knows."""
        ...

    def write(self, pairs: Sequence[Pair]) -> Any:
        """Returns what `open` needs to know of all that was written, as JSON."""
        ...

    def secure(self) -> None:
        """All that was written is on the disk."""
        ...

    def close(self) -> None: ...

    def finish(self) -> None:
        """Make the file, under its name."""
        ...

    def clean(self) -> None:
        """Leave nothing but that file."""
        ...


class _Text:
    """CSV, TSV and, without a `delimiter`, JSON lines."""

    def __init__(self, path: Path, names: Sequence[str], delimiter: str | None) -> None:
        self._path, self._aside = path, path.with_name(f"{path.name}.part")
        self._names, self._delimiter = list(names), delimiter
        self._shown: list[str] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def is_there(self) -> bool:
        return self._aside.exists()

    def open(self, state: Any) -> None:
        if state is None:
            self._file = self._aside.open("wb")
            return
        self._shown, self._bytes = list(state["answers"]), int(state["bytes"])
        if not self._aside.exists() or self._aside.stat().st_size < self._bytes:
            raise DataError(f"{self._aside} holds less than its journal says", hint="begin anew: leave out --resume")
        self._file = self._aside.open("r+b")
        self._file.truncate(self._bytes)
        self._file.seek(self._bytes)

    def write(self, pairs: Sequence[Pair]) -> Any:
        text = self._lines(pairs) if self._delimiter is None else self._cells(pairs, self._delimiter)
        data = text.encode("utf-8", "replace")
        self._opened.write(data)
        self._bytes += len(data)
        return {"bytes": self._bytes, "answers": list(self._shown)}

    def secure(self) -> None:
        self._opened.flush()
        os.fsync(self._opened.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def finish(self) -> None:
        self.secure()
        self.close()
        self._aside.replace(self._path)

    def clean(self) -> None:
        self._aside.unlink(missing_ok=True)

    @property
    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise ValueError("the file was not opened")
        return self._file

    def _lines(self, pairs: Sequence[Pair]) -> str:
        lines = []
        for row, answer in pairs:
            taken = {*self._names, *row}
            whole = {**row, **{column_name(name, taken): value for name, value in answer.items()}}
            lines.append(json.dumps(whole, ensure_ascii=False, default=str) + "\n")
        return "".join(lines)

    def _cells(self, pairs: Sequence[Pair], delimiter: str) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        for row, given in pairs:
            answer = _flat(given)
            if not self._shown:
                self._shown.extend(answer)
                writer.writerow([*self._names, *(column_name(name, self._names) for name in self._shown)])
            unknown = next((name for name in row if name not in self._names), None)
            if unknown is not None:
                raise DataError(
                    f"a row has the column {unknown!r}, which the first row lacks", hint="write JSON lines: --output answers.jsonl"
                )
            writer.writerow([*(_cell(row.get(name)) for name in self._names), *(_cell(answer.get(name)) for name in self._shown)])
        return text.getvalue()


def _flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer has a place in cells: what all answers have."""
    flat = {name: value for name, value in answer.items() if name != TRUNCATED and not isinstance(value, Mapping)}
    if "labels" in answer and isinstance(answer.get("scores"), Mapping):
        flat["labels"] = _parted(answer["labels"])
        flat |= {f"score_{label}": score for label, score in answer["scores"].items()}
    return flat


def _parted(labels: Sequence[str]) -> str:
    """`a|b`, or a JSON list where a label holds the sign between them."""
    return json.dumps(labels, ensure_ascii=False) if any("|" in label for label in labels) else "|".join(labels)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | tuple | Mapping) else well_formed(value)


def _rows_of(journal: Path) -> int:
    """How many rows an interrupted file holds; 0 where there is none."""
    try:
        return int(json.loads(journal.read_text(encoding="utf-8"))["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


@contextlib.contextmanager
def _disk(path: Path, kept: int = 0) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = f"--resume goes on behind the {kept:,} rows that are there" if kept else None
        raise NoRoom(f"--output {path} cannot be written: {error.strerror or error}", hint=hint) from None


class NoRoom(DataError):  # noqa: N818  the house names what happened
    """The disk refused. What is safely on it stays."""
