"""From rows to answers: encoder, session, decoder, in small batches."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from autoft.data.names import nearest
from autoft.data.table import Table
from autoft.errors import BundleError, DataError
from autoft.interfaces.encoder import Arrays, Encoded, Encoder, Encoding, joined
from autoft.interfaces.exporter import Exporter, Placed, encoding_before
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Task
from autoft.runtime.bundle import Bundle
from autoft.runtime.schemas import answer_kind, stands_alone
from autoft.runtime.session import ON_PROCESSORS, available_cores
from autoft.runtime.strangeness import OUT_OF_DOMAIN, strangeness

_T = TypeVar("_T")
_Records: TypeAlias = Sequence[Mapping[str, Any]]
_Answers: TypeAlias = list[dict[str, Any]]
_Batches: TypeAlias = list[tuple[list[int], Future[_Answers]]]

ROWS_BY_LENGTH = 8
"""Rows a batch where rows have a length: on processors larger batches are slower."""

ROWS_WITHOUT_LENGTH = 256
UNITS_WITHOUT_LENGTH = 2**16
"""Where an encoder cuts nothing off: most rows, and most characters (the longest row's times the rows), of a batch."""

CHUNK = 2048
"""Rows of a stream that are in memory, and sorted by length, at a time."""

TRUNCATED = "truncated"
"""In answers to rows that were cut at the encoder's longest: true. Other answers do not have it."""


class TooLongError(DataError):
    """A row is longer than the encoder takes, where none is to be cut. `row` counts from 0, `longest` is what it takes."""

    def __init__(self, message: str, *, hint: str | None = None, row: int = 0, longest: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.row, self.longest = row, longest


class Predictor:
    """Answers from a bundle. Safe to call from several threads.

    The plugins are passed in: the task and the encoder that the manifest names, and the exporter that wrote the graph. `threads` are
    those of one batch, `at_once` the batches in work at a time: one batch with all threads for the quickest answer, one thread a batch and
    as many batches as processors for the most answers. `batch` is the most rows of a batch, where that is not the default. With
    `abstain_below`, a probability, an answer also says whether it is `sure`: its score is no less; with `out_of_domain` how strange its
    row is, see `autoft.runtime.strangeness`. A row that is longer than the encoder takes is cut, and its answer says so (`TRUNCATED`);
    without `truncate` it is refused. Raises DataError where answers are not one class with its probability, or the bundle does not know
    how strange the rows of its own data are.
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
        out_of_domain: bool = False,
        truncate: bool = True,
    ) -> None:
        self.bundle = bundle if abstain_below is None else _abstaining(bundle)
        self.abstain_below, self._truncate = abstain_below, truncate
        self.out_of_domain = out_of_domain
        self._domain: Mapping[str, Any] | None = None
        if out_of_domain:
            self._domain, self.bundle = _domain_of(bundle), _wondering(self.bundle)
        self.threads, self.at_once, self._batch = threads or available_cores(), at_once, batch
        self._task = task
        self._decoder = bundle.decoder()
        self._encoding = encoding_before(exporter, _opened(encoder, bundle), bundle.manifest.encoder.config)
        self._session = exporter.open(bundle.folder, self.threads)
        self._schemas: Mapping[str, Any] = bundle.manifest.input_schema.get("properties", {})
        self._numeric = _numeric_roles(self._schemas)
        self.budget: int | None = None
        """Most padded tokens of a batch, for whoever puts rows of several requests into one; None where that is not wanted."""
        self.watch: Callable[[Encoded], None] | None = None
        """Hears every batch, in the thread that is in work on it."""
        self.phase: Callable[[str], AbstractContextManager[object]] = _untold
        """Entered in that thread around what is done with a batch: `encode`, `graph`, `decode`."""

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

    @property
    def on_gpu(self) -> bool:
        """Whether the graph runs on something else than the processors, as far as its session tells."""
        return isinstance(self._session, Placed) and self._session.provider != ON_PROCESSORS

    def tokens(self, rows: Table) -> list[int]:
        """What the encoder counts in each row, cut as it is for the graph."""
        counts: list[int] = self._encoding.encode(rows).lengths.tolist()
        return counts

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
        return joined(list(self._by_batch(lambda numbers: self._graph(self._encoded(rows.take(numbers))), rows)), len(rows))

    def stream(
        self, records: Iterable[Mapping[str, Any]], *, columns: Mapping[str, str] | None = None, origin: str = "", before: int = 0
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
        """Each record with its answer, in order, two chunks of rows in memory at a time: one that is being answered and the next, so that
        no processor waits for the last batch of a chunk. Columns are found as in a data file: by the name that `columns` gives their
        role, by the name they had when the model learned, or by role. `origin` is the file they come from, for messages, which count rows
        from 1, and those that came `before`."""
        chunks = self._chunks(iter(records), self._renamed(columns or {}), origin, before)
        if self.at_once == 1:
            for chunk, rows in chunks:
                yield from zip(chunk, self.answers(rows), strict=True)
            return
        waiting: deque[tuple[_Records, int, _Batches]] = deque()
        pool = ThreadPoolExecutor(self.at_once)
        failure: Exception | None = None
        try:
            while True:
                try:
                    found = next(chunks, None)
                except Exception as error:  # the rows before the one that cannot be read are answered first
                    found, failure = None, error
                if found is not None:
                    chunk, rows = found
                    batches = [(numbers, pool.submit(self.answer, rows, numbers)) for numbers in self.batches(rows)]
                    waiting.append((chunk, len(rows), batches))
                if not waiting:
                    break
                if found is None or len(waiting) > 1:
                    chunk, count, batches = waiting.popleft()
                    yield from zip(chunk, _in_order(((numbers, batch.result()) for numbers, batch in batches), count), strict=True)
            if failure is not None:
                raise failure
        finally:
            pool.shutdown(cancel_futures=True)

    def _chunks(
        self, iterator: Iterator[Mapping[str, Any]], given: Mapping[str, str], origin: str, before: int
    ) -> Iterator[tuple[_Records, Table]]:
        while chunk := list(itertools.islice(iterator, CHUNK)):
            yield chunk, self._read(chunk, given, origin, before)
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
        """One answer a row, in order. `rows` has columns named by role, as `Task.inputs` gives them. Raises TooLongError."""
        return _in_order(self._by_batch(lambda numbers: self.answer(rows, numbers), rows), len(rows))

    def batches(self, rows: Table) -> list[list[int]]:
        """The numbers of the rows that go through the graph together; long rows first, like lengths together."""
        sizes = rows.sizes()
        order = sorted(range(len(rows)), key=sizes.__getitem__, reverse=True)
        batches: list[list[int]] = []
        begin = 0
        while begin < len(order):
            batches.append(order[begin : begin + self._rows_at_once(sizes[order[begin]])])
            begin += len(batches[-1])
        return batches

    def answer(self, rows: Table, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """The answers to one batch of the rows, in the order of `numbers`, worked out in the calling thread. Raises TooLongError."""
        batch = rows.take(numbers)
        with self.phase("encode"):
            encoded = self._encoded(batch)
        cut = frozenset(np.flatnonzero(encoded.truncated).tolist())
        if cut and not self._truncate:
            raise self._too_long(min(numbers[place] for place in cut))
        with self.phase("graph"):
            arrays = self._graph(encoded)
        with self.phase("decode"):
            return self._decoded(batch, arrays, cut)

    def _decoded(self, batch: Table, arrays: Arrays, cut: Collection[int]) -> list[dict[str, Any]]:
        decoded = self._task.decode(self.problem, self._decoder, arrays, batch)
        if self.abstain_below is not None:
            decoded = [{**answer, "sure": answer["score"] >= self.abstain_below} for answer in decoded]
        if self._domain is not None:
            strange = strangeness(self._domain, arrays["logits"]).tolist()
            decoded = [{**answer, OUT_OF_DOMAIN: value} for answer, value in zip(decoded, strange, strict=True)]
        return [{**answer, TRUNCATED: True} if place in cut else answer for place, answer in enumerate(decoded)]

    def _too_long(self, number: int) -> TooLongError:
        longest = self._encoding.max_length or 0
        what = f"row {number + 1} is longer than this model reads (at most {longest:,} of what its encoder counts)"
        return TooLongError(what, hint="shorten it, or let it be cut", row=number, longest=longest)

    def _encoded(self, batch: Table) -> Encoded:
        encoded = self._encoding.encode(batch)
        if self.watch is not None:
            self.watch(encoded)
        return encoded

    def _graph(self, encoded: Encoded) -> Arrays:
        return encoded.answered(self._session.run)

    def _by_batch(self, work: Callable[[list[int]], _T], rows: Table) -> Iterator[tuple[list[int], _T]]:
        """The row numbers of each batch, and what `work` makes of them."""
        batches = self.batches(rows)
        if self.at_once == 1 or len(batches) < 2:
            yield from ((numbers, work(numbers)) for numbers in batches)
            return
        pool = ThreadPoolExecutor(self.at_once)
        try:
            yield from zip(batches, pool.map(work, batches), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)

    def _rows_at_once(self, longest: int) -> int:
        if self._encoding.max_length is not None:
            return self.batch
        return min(self.batch, max(1, UNITS_WITHOUT_LENGTH // max(1, longest)))


_UNTOLD = nullcontext()


def _untold(phase: str) -> AbstractContextManager[object]:  # noqa: ARG001
    """Where nobody hears of phases."""
    return _UNTOLD


def _in_order(batches: Iterable[tuple[Sequence[int], _Answers]], count: int) -> _Answers:
    """The answers of all batches, where the numbers of their rows put them."""
    answers: _Answers = [{}] * count
    for numbers, found in batches:
        for number, answer in zip(numbers, found, strict=True):
            answers[number] = answer
    return answers


def _abstaining(bundle: Bundle) -> Bundle:
    """With `sure` in the schema of an answer."""
    return _widened(bundle, "sure", {"type": "boolean"}, "there is nothing to abstain by", "--abstain-below")


def _wondering(bundle: Bundle) -> Bundle:
    """With `out_of_domain` in the schema of an answer."""
    schema = {
        "type": "number", "minimum": 0, "maximum": 1,
        "description": "the share of the validation rows that are less strange to the model, by the energy of their logits",
    }  # fmt: skip
    return _widened(bundle, OUT_OF_DOMAIN, schema, "their logits do not tell how strange a row is", "--out-of-domain")


def _widened(bundle: Bundle, name: str, field: Mapping[str, Any], lacking: str, flag: str) -> Bundle:
    manifest = bundle.manifest
    schema = manifest.output_schema
    if answer_kind(schema) != "classes":
        what = f"the answers of {manifest.problem.task} are not one class with its probability: {lacking}"
        raise DataError(what, hint=f"leave {flag} out")
    properties, required = {**schema["properties"], name: dict(field)}, [*schema.get("required", ()), name]
    widened = {**schema, "properties": properties, "required": required}
    return replace(bundle, manifest=manifest.model_copy(update={"output_schema": widened}))


def _domain_of(bundle: Bundle) -> Mapping[str, Any]:
    found = bundle.manifest.decoder.get(OUT_OF_DOMAIN)
    if isinstance(found, Mapping) and found.get("energies"):
        return found
    _wondering(bundle)  # answers of another kind have a reason of their own
    what = f"{bundle.folder} does not say how strange the rows of its own data are"
    raise DataError(what, hint="it is of an older autoft, or had too few validation rows: leave --out-of-domain out, or run again")


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
