"""What was asked and answered, a line of JSON a row, for those who ask for it: the one place where the server writes texts down."""

from __future__ import annotations

import json
import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from autoft.errors import InputError
from autoft.interfaces.problem import Problem
from autoft.runtime.predictor import well_formed
from autoft.runtime.schemas import AnswerKind
from autoft.serving.access import REQUEST_ID

LOG = logging.getLogger("autoft.serving")

MOST_BYTES = 64 * 2**20
"""Of a file; the next one is begun then."""
KEPT = 5
"""Files: the one that is written, and those before it, `NAME.1.jsonl` the newest."""


class RequestLog:
    """Appends to `path`, which only its owner may read. Threads and processes may write to one file.

    A line has the inputs under the names of the training file's columns, the answer in the label's column as that file would have it, the
    whole `answer`, `request_id` and `request_time` (ISO 8601, UTC); a column of the file goes before a name of ours. Raises InputError
    where the file cannot be written; later failures are logged once and end no request.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        if path.suffix != ".jsonl":
            raise InputError(f"--log-requests {path}: the file holds JSON lines", hint=f"call it {path.with_suffix('.jsonl')}")
        self.path, self._most, self._kept = path, most_bytes, kept
        self._lock = threading.Lock()
        self._failed = False
        try:
            os.close(self._open())
        except OSError as error:
            raise InputError(
                f"--log-requests {path} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
            ) from None

    def write(self, problem: Problem, kind: AnswerKind | None, rows: Sequence[Any], answers: Sequence[Mapping[str, Any]]) -> None:
        """The rows of one request."""
        named = REQUEST_ID.get() or uuid.uuid4().hex
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = []
        for row, answer in zip(rows, answers, strict=True):
            about = {"request_id": named, "request_time": now, "answer": answer}
            line = {**about, **fields_of(row, problem), **label_of(answer, kind, problem)}
            lines.append(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        content = "".join(lines).encode("utf-8", "replace")
        try:
            with self._lock, self._alone():
                self._rotate(len(content))
                self._append(content)
        except OSError as error:
            if not self._failed:
                LOG.error("requests are not logged: %s cannot be written: %s", self.path, error.strerror)
            self._failed = True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Among processes, of which there are several only where the system hands sockets on."""
        if os.name != "posix":
            yield
            return
        import fcntl

        guard = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
        finally:
            os.close(guard)

    def _open(self) -> int:
        return os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def _append(self, content: bytes) -> None:
        file = self._open()
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(file, left) :]
        finally:
            os.close(file)

    def _rotate(self, coming: int) -> None:
        size = self.path.stat().st_size if self.path.exists() else 0
        if not size or size + coming <= self._most:
            return
        names = [self.path, *(self.path.with_suffix(f".{number}.jsonl") for number in range(1, self._kept))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                newer.replace(older)


def fields_of(row: Any, problem: Problem) -> dict[str, Any]:
    """A row of a request by the columns of the training file."""
    if not isinstance(row, Mapping):
        row = {problem.inputs[0]: row}
    found: dict[str, Any] = {}
    for role in problem.inputs:
        names = problem.fields.get(role, (role,))
        if role not in row:
            found |= {name: row[name] for name in names if name in row}
        elif len(names) == 1:
            found[names[0]] = row[role]
        elif isinstance(row[role], Sequence) and len(row[role]) == len(names):
            found |= dict(zip(names, row[role], strict=True))
        else:
            found[role] = row[role]
    return {name: well_formed(value) for name, value in found.items()}


def label_of(answer: Mapping[str, Any], kind: AnswerKind | None, problem: Problem) -> dict[str, Any]:
    """The answer in the columns of the label, in the notation of the training file; {} for tags of words, and where there is no such."""
    names = problem.fields.get("label", ())
    if kind == "labels" and len(names) > 1:
        return {name: int(name in answer["labels"]) for name in names}
    if kind is None or len(names) != 1:
        return {}
    if kind == "labels":
        separator = problem.extra.get("separator")
        return {names[0]: str(separator).join(answer["labels"]) if separator else answer["labels"]}
    if kind == "entities":
        spans = [{"start": one["start"], "end": one["end"], "label": one["entity_group"]} for one in answer["entities"]]
        return {names[0]: spans} if problem.extra.get("form") == "spans" else {}
    return {names[0]: answer[{"classes": "label", "score": "score", "text": "text"}[kind]]}
