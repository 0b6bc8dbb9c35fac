"""Parquet, a batch of rows at a time, in and out. pyarrow comes with the extra `parquet`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoft.errors import DataError
from autoft.runtime.files import RowFile, column_name
from autoft.runtime.predictor import TRUNCATED

PARQUET = (".parquet", ".pq")
BATCH = 2048
"""Rows that are read at a time."""
GROUP = 16
"""Windows of rows to a row group."""


def need_arrow(path: Path) -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`. Raises DataError with the command that installs them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{path} needs the library pyarrow, which is not installed", hint="pip install 'autoft[parquet]'") from None
    return pyarrow, pyarrow.parquet


def stream_parquet(path: Path, wanted: Collection[str]) -> RowFile | None:
    """The rows of a file that has one of the `wanted` columns.

    None for any other file: only a reader knows what to say of it, and what class names `datasets` has put beside the numbers.
    """
    if path.suffix.lower() not in PARQUET or not path.is_file():
        return None
    arrow, parquet = need_arrow(path)
    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError):
        return None
    schema = file.schema_arrow
    names = tuple(schema.names)
    count = file.metadata.num_rows
    if len(set(names)) < len(names) or b"ClassLabel" in (schema.metadata or {}).get(b"huggingface", b""):
        return None
    if not count or not any(name in wanted for name in names):
        return None
    return RowFile(names, _rows(path, file, arrow), count, schema.remove_metadata())


def _rows(path: Path, file: Any, arrow: Any) -> Iterator[Mapping[str, Any]]:
    try:
        for batch in file.iter_batches(batch_size=BATCH):
            yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no whole Parquet file: {' '.join(str(error).split())}", hint="write it again, or give CSV") from error


class Parts:
    """The body of an answer file that is Parquet: a part a window in a folder, which become row groups of one file in the end.

    A Parquet file cannot be gone on with once its process was killed; a folder of small ones can.
    """

    def __init__(self, path: Path, names: Sequence[str], answer_schema: Mapping[str, Any], row_types: Any) -> None:
        self._arrow, self._parquet = need_arrow(path)
        self._path, self._folder = path, path.with_name(f"{path.name}.parts")
        self._names, self._answers, self._row_types = list(names), answer_schema, row_types
        self._schema: Any = None
        self._parts = 0

    def is_there(self) -> bool:
        return self._folder.is_dir()

    def open(self, state: Any) -> None:
        if not state:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        if state:
            self._parts = int(state["parts"])
            for left in self._folder.glob("*.parquet"):
                if int(left.stem) >= self._parts:
                    left.unlink()
            if self._parts:
                self._schema = self._parquet.read_schema(self._part(0))

    def write(self, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Any:
        columns = self._columns(pairs)
        if self._schema is None:
            self._schema = self._types(columns)
        arrays = []
        for field in self._schema:
            values = columns.pop(field.name, [None] * len(pairs))
            try:
                arrays.append(self._arrow.array([_fitting(value, field.type, self._arrow) for value in values], field.type))
            except (self._arrow.ArrowException, OverflowError, TypeError, ValueError) as error:
                what = f"column {field.name!r} is {field.type} in the first rows, and later holds what is not"
                raise DataError(
                    f"{self._path}: {what} ({' '.join(str(error).split())})", hint="write JSON lines: --output answers.jsonl"
                ) from None
        if columns:
            raise DataError(
                f"a row has the column {next(iter(columns))!r}, which the first ones lack", hint="write JSON lines: --output answers.jsonl"
            )
        with self._part(self._parts).open("wb") as file:
            self._parquet.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema), file)
            file.flush()
            os.fsync(file.fileno())
        self._parts += 1
        return {"parts": self._parts}

    def secure(self) -> None:
        """Each part is on the disk before the next."""

    def close(self) -> None:
        """Each part was closed."""

    def finish(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.part")
        with aside.open("wb") as file:
            if self._schema is not None:
                with self._parquet.ParquetWriter(file, self._schema) as writer:
                    for begin in range(0, self._parts, GROUP):
                        numbers = range(begin, min(begin + GROUP, self._parts))
                        tables = [self._parquet.read_table(self._part(number), schema=self._schema) for number in numbers]
                        writer.write_table(self._arrow.concat_tables(tables).combine_chunks())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def clean(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._path.with_name(f"{self._path.name}.part").unlink(missing_ok=True)

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:08d}.parquet"

    def _columns(self, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, list[Any]]:
        rows = list(dict.fromkeys([*self._names, *(name for row, _ in pairs for name in row)]))
        told = list(dict.fromkeys(name for _, answer in pairs for name in answer if name != TRUNCATED))
        columns: dict[str, list[Any]] = {name: [row.get(name) for row, _ in pairs] for name in rows}
        return columns | {column_name(name, rows): [answer.get(name) for _, answer in pairs] for name in told}

    def _types(self, columns: Mapping[str, Sequence[Any]]) -> Any:
        """Those of the rows as their file has them, those of the answers as the bundle tells them, all others by the first window."""
        arrow, known = self._arrow, {}
        for name, schema in self._answers.get("properties", {}).items():
            kind = _type_of(schema, arrow)
            if kind is not None:
                known[column_name(name, self._names)] = kind
        if self._row_types is not None:
            known |= {field.name: field.type for field in self._row_types}
        return arrow.schema([arrow.field(name, known.get(name) or self._inferred(values)) for name, values in columns.items()])

    def _inferred(self, values: Sequence[Any]) -> Any:
        try:
            kind = self._arrow.infer_type(values)
        except (self._arrow.ArrowException, ValueError, TypeError):
            return self._arrow.string()
        return self._arrow.string() if self._arrow.types.is_null(kind) else kind


def _type_of(schema: Mapping[str, Any], arrow: Any) -> Any:
    """The Arrow type of what a JSON Schema describes; None where it does not say."""
    kinds = schema.get("type", [])
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if len(named) != 1:
        return None
    simple = {"string": arrow.string(), "number": arrow.float64(), "integer": arrow.int64(), "boolean": arrow.bool_()}
    if named[0] in simple:
        return simple[named[0]]
    if named[0] == "array":
        items = _type_of(schema.get("items") or {}, arrow)
        return None if items is None else arrow.list_(items)
    if isinstance(schema.get("additionalProperties"), Mapping):
        values = _type_of(schema["additionalProperties"], arrow)
        return None if values is None else arrow.map_(arrow.string(), values)
    fields = {name: _type_of(one, arrow) for name, one in schema.get("properties", {}).items()}
    return arrow.struct(list(fields.items())) if fields and all(kind is not None for kind in fields.values()) else None


def _fitting(value: Any, kind: Any, arrow: Any) -> Any:
    """A value as the type takes it: mappings as pairs, and whatever else a column of text holds as JSON."""
    if value is None:
        return None
    if arrow.types.is_map(kind) and isinstance(value, Mapping):
        return list(value.items())
    if arrow.types.is_string(kind) and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
