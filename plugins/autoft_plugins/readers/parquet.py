"""Parquet, by pyarrow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoft.data.table import Table
from autoft.errors import DataError
from autoft_plugins.readers.arrow import with_class_names
from autoft_plugins.readers.libraries import need


class Parquet:
    """One file. Class names that `datasets` left in its metadata are used."""

    name = "parquet"
    summary = "Parquet files"
    suffixes: tuple[str, ...] = (".parquet", ".pq")

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    def read(self, path: Path) -> Table:
        arrow, parquet = need("pyarrow", path, "parquet"), need("pyarrow.parquet", path, "parquet")
        try:
            table = parquet.ParquetFile(path).read()
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{path} is no Parquet file: {' '.join(str(error).split())}", hint="write it again, or give CSV") from error
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            raise DataError(f"{path} has two columns named {twice[0]!r}", hint="rename one of them")
        if not table.num_rows:
            raise DataError(f"{path} holds columns and no rows: {', '.join(table.column_names)}", hint="add a row for each example")
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        return Table(with_class_names(columns, _class_names(table.schema.metadata or {})), str(path))


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """From the features that `datasets` writes beside the schema; other writers leave nothing there."""
    try:
        features: Any = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        found = {name: one.get("names") for name, one in features.items() if isinstance(one, dict) and one.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: names for name, names in found.items() if isinstance(names, list) and all(isinstance(one, str) for one in names)}
