"""From rows to answers: encoder, session, decoder, in small batches."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from autoft.data.names import nearest
from autoft.data.table import Table
from autoft.errors import BundleError, DataError
from autoft.interfaces.encoder import Arrays, Encoded, Encoder, Encoding, joined
from autoft.interfaces.exporter import Exporter
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task
from autoft.runtime.bundle import Bundle
from autoft.runtime.schemas import answer_kind, stands_alone
from autoft.runtime.session import available_cores

ROWS_BY_LENGTH = 8
"""Rows a batch where rows have a length: on processors larger batches are slower."""

ROWS_WITHOUT_LENGTH = 256
UNITS_WITHOUT_LENGTH = 2**16
"""Where an encoder cuts nothing off: most rows, and most characters (the longest row's times the rows), of a batch."""

CHUNK = 2048
"""Rows of a stream that are in memory, and sorted by length, at a time."""


class Predictor:
    """Answers from a bundle. Safe to call from several threads.

    The plugins are passed in: the task and the encoder that the manifest names, and the exporter that wrote the graph. `threads` are
    those of one batch, `at_once` the batches in work at a time: one batch with all threads for the quickest answer, one thread a batch and
    as many batches as processors for the most answers. `batch` is the most rows of a batch, where that is not the default. With
    `abstain_below`, a probability, an answer also says whether it is `sure`: its score is no less. Raises DataError where answers are not
    one class with its probability.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        task: Task,
        encoder: Encoder,
        exporter: Exporter,
        threads: int | None = None,
        at_once: int = 1,
        batch: int | None = None,
        abstain_below: float | None = None,
    ) -> None:
        self.bundle = bundle if abstain_below is None else _abstaining(bundle)
        self._abstain_below = abstain_below
        self.threads, self.at_once, self._batch = threads or available_cores(), at_once, batch
        self._task = task
        self._decoder = bundle.decoder()
        self._encoding = _opened(encoder, bundle)
        self._session = exporter.open(bundle.folder, self.threads)
        self._schemas: Mapping[str, Any] = bundle.manifest.input_schema.get("properties", {})
        self._numeric = _numeric_roles(self._schemas)
        self.watch: Callable[[Encoded], None] | None = None
        """Hears every batch, in the thread that is in work on it."""

    @property
    def problem(self) -> Problem:
        return self.bundle.problem

    @property
    def encoding(self) -> Encoding:
        """The opened encoder."""
        return self._encoding

    @property
    def batch(self) -> int:
        """Most rows of a batch."""
        return self._batch or (ROWS_WITHOUT_LENGTH if self._encoding.max_length is None else ROWS_BY_LENGTH)

    def sharing(self, *, at_once: int, batch: int) -> Predictor:
        """One that answers from the same graph in memory, with other batches."""
        other = copy.copy(self)
        other.at_once, other._batch = at_once, batch
        return other

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """One answer a row, in order. A row is a mapping from role (or the column's own name) to value; where the problem
        has one input, its value alone will do, e.g. a text. Raises DataError naming the row and the field."""
        if isinstance(inputs, str | Mapping):
            raise DataError("predict takes a list of rows, not a single one", hint='predict(["a text"])')
        return self.answers(self.asked(inputs)) if len(inputs) else []

    def asked(self, inputs: Sequence[Any]) -> Table:
        """The rows of a request, at least one, with columns named by role. Raises DataError as `predict` does."""
        return self._task.check_inputs(self.problem, [self._record(row, number) for number, row in enumerate(inputs, 1)])

    def outputs(self, rows: Table) -> Arrays:
        """The graph's outputs by name, first axis = rows, in order. `rows` has columns named by role, as `Task.inputs` gives them.

        Where an output has an axis that varies between batches, shorter ones are filled with zeros.
        """
        return joined([(numbers, arrays) for numbers, _, arrays in self._batches(rows)], len(rows))

    def stream(
        self, records: Iterable[Mapping[str, Any]], *, columns: Mapping[str, str] | None = None, origin: str = ""
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
        """Each record with its answer, in order, a chunk of rows in memory at a time. Columns are found as in a data file:
        by the name that `columns` gives their role, by the name they had when the model learned, or by role. `origin` is the file
        they come from, for messages, which count rows from 1."""
        given = self._renamed(columns or {})
        iterator = iter(records)
        before = 0
        while chunk := list(itertools.islice(iterator, CHUNK)):
            yield from zip(chunk, self.answers(self._read(chunk, given, origin, before)), strict=True)
            before += len(chunk)

    def read(self, records: Sequence[Mapping[str, Any]], *, columns: Mapping[str, str] | None = None, origin: str = "") -> Table:
        """The rows of a file, with columns named by role, found as `stream` finds them. Raises DataError."""
        return self._read(records, self._renamed(columns or {}), origin, 0)

    def _read(self, chunk: Sequence[Mapping[str, Any]], given: Mapping[str, str], origin: str, before: int) -> Table:
        return self._task.inputs(self.problem, self._columns(chunk, given, origin, before))

    def _renamed(self, columns: Mapping[str, str]) -> dict[str, str]:
        """What a column is called here, by the name it had when the model learned."""
        renamed = {}
        for role, name in columns.items():
            names = self.problem.fields.get(role, (role,))
            if role not in self.problem.inputs:
                raise DataError(f"this model reads no {role}; it reads {', '.join(self.problem.inputs)}", hint="leave the flag out")
            if len(names) > 1:
                what = f"the {role} of this model is in {len(names)} columns: {', '.join(map(repr, names))}"
                raise DataError(what, hint="give a file that has them under these names")
            renamed[names[0]] = name
        return renamed

    def _record(self, row: Any, number: int) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            if len(self.problem.inputs) == 1:
                role = self.problem.inputs[0]
                return {role: self._value(row, role, f"row {number}: {role}")}
            roles = ", ".join(self.problem.inputs)
            raise DataError(f"row {number}: a value alone is not enough, this model needs {roles}", hint=f"give an object with {roles}")
        record: dict[str, Any] = {}
        for role in self.problem.inputs:
            names = self.problem.fields.get(role, ())
            if role in row:
                record[role] = self._value(row[role], role, f"row {number}: {role}")
            elif len(names) == 1 and names[0] in row:
                record[role] = self._value(row[names[0]], role, f"row {number}: {names[0]}")
            else:
                record |= {name: row[name] for name in names if name in row}
        return {name: well_formed(value) for name, value in record.items()}

    def _value(self, value: Any, role: str, where: str) -> Any:
        """A number that is written as a text is read, as it is in files; the value of a role's only column may come without its list."""
        if role in self._numeric and isinstance(value, str):
            value = _number(value, where)
        return [value] if stands_alone(value, role, self.problem, self._schemas.get(role, {})) else value

    def _columns(self, chunk: Sequence[Mapping[str, Any]], given: Mapping[str, str], origin: str, before: int) -> Table:
        """The input columns alone, under the names they had when the model learned."""
        present = set(itertools.chain.from_iterable(chunk))
        columns: dict[str, list[Any]] = {}
        for role in self.problem.inputs:
            names = self.problem.fields.get(role, (role,))
            for name in names:
                key = given.get(name, role if name not in present and len(names) == 1 else name)
                if key in present:
                    values = [well_formed(record.get(key)) for record in chunk]
                    columns[name] = _numbers(values, key, origin, before) if role in self._numeric else values
        self._check_columns(columns, given, present, origin)
        return Table(columns, origin, numbers=tuple(range(before + 1, before + len(chunk) + 1)))

    def _check_columns(self, columns: Collection[str], given: Mapping[str, str], present: Collection[str], origin: str) -> None:
        """Raises DataError where a column that was named is absent, or the only one of a role, or all are."""
        found = f"{origin or 'the file'} has {', '.join(sorted(map(repr, present))) or 'none'}"
        for name, key in given.items():
            if name not in columns:
                close = nearest(key, sorted(present))
                raise DataError(f"there is no column {key!r}; {found}", hint=f"did you mean {close!r}?" if close else None)
        roles = {role: self.problem.fields.get(role, (role,)) for role in self.problem.inputs}
        absent = {role: names for role, names in roles.items() if not any(name in columns for name in names)}
        single = all(len(names) == 1 for names in absent.values())
        if not absent or (columns and not single):
            return
        wanted = ", ".join(repr(name) for names in absent.values() for name in names)
        flags = " ".join("--text NAME" if role == "text" else f"--column {role}=NAME" for role in absent)
        hint = f"name the column in this file: {flags}" if single else "rename the columns in the file"
        raise DataError(f"the model reads the column {wanted}; {found}", hint=hint)

    def answers(self, rows: Table) -> list[dict[str, Any]]:
        """One answer a row, in order. `rows` has columns named by role, as `Task.inputs` gives them."""
        answers: list[dict[str, Any]] = [{}] * len(rows)
        for numbers, batch, arrays in self._batches(rows):
            decoded = self._task.decode(self.problem, self._decoder, arrays, batch)
            for number, answer in zip(numbers, decoded, strict=True):
                sure = {} if self._abstain_below is None else {"sure": answer["score"] >= self._abstain_below}
                answers[number] = {**answer, **sure}
        return answers

    def _batches(self, rows: Table) -> Iterator[tuple[list[int], Table, Arrays]]:
        """Row numbers, those rows, and the outputs for them; long rows first, like lengths together."""
        sizes = rows.sizes()
        order = sorted(range(len(rows)), key=sizes.__getitem__, reverse=True)
        batches: list[list[int]] = []
        begin = 0
        while begin < len(order):
            batches.append(order[begin : begin + self._rows_at_once(sizes[order[begin]])])
            begin += len(batches[-1])

        def answered(numbers: list[int]) -> tuple[list[int], Table, Arrays]:
            batch = rows.take(numbers)
            encoded = self._encoding.encode(batch)
            if self.watch is not None:
                self.watch(encoded)
            return numbers, batch, encoded.answered(self._session.run)

        if self.at_once == 1 or len(batches) < 2:
            yield from map(answered, batches)
            return
        pool = ThreadPoolExecutor(self.at_once)
        try:
            yield from pool.map(answered, batches)
        finally:
            pool.shutdown(cancel_futures=True)

    def _rows_at_once(self, longest: int) -> int:
        if self._encoding.max_length is not None:
            return self.batch
        return min(self.batch, max(1, UNITS_WITHOUT_LENGTH // max(1, longest)))


def _abstaining(bundle: Bundle) -> Bundle:
    """With `sure` in the schema of an answer."""
    manifest = bundle.manifest
    schema = manifest.output_schema
    if answer_kind(schema) != "classes":
        what = f"the answers of {manifest.problem.task} are not one class with its probability: there is nothing to abstain by"
        raise DataError(what, hint="leave --abstain-below out")
    properties, required = {**schema["properties"], "sure": {"type": "boolean"}}, [*schema.get("required", ()), "sure"]
    widened = {**schema, "properties": properties, "required": required}
    return replace(bundle, manifest=manifest.model_copy(update={"output_schema": widened}))


def _opened(encoder: Encoder, bundle: Bundle) -> Encoding:
    try:
        return encoder.open(bundle.folder, bundle.manifest.encoder.config)
    except (KeyError, TypeError, ValueError) as error:
        what = f"its config in autoft.json is not of the right shape ({type(error).__name__}: {error})"
        raise BundleError(f"{bundle.folder}: the encoder {encoder.name!r} cannot be opened: {what}") from error


def well_formed(value: Any) -> Any:
    """The value, with a replacement character for each half of a surrogate pair: no encoder takes those."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _numeric_roles(schemas: Mapping[str, Any]) -> frozenset[str]:
    """Inputs that the model learned as numbers: in a file of texts, such as CSV, they have to be read as such."""
    kinds = {role: schema.get("items", schema).get("type") for role, schema in schemas.items()}
    return frozenset(role for role, kind in kinds.items() if kind in ("number", ["number", "null"]))


def _numbers(values: list[Any], column: str, origin: str, before: int) -> list[Any]:
    place = f"{origin}, " if origin else ""
    return [
        _number(value, f"{place}row {row}, column {column!r}") if isinstance(value, str) else value
        for row, value in enumerate(values, before + 1)
    ]


def _number(text: str, where: str) -> float | None:
    """None for an empty cell. Raises DataError."""
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise DataError(f"{where} should be a number, not {text!r}") from None
