"""The rows of a file that a bundle is asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autoft.interfaces.reader import Reader
    from autoft.runtime.files import RowFile
    from autoft.runtime.predictor import Predictor


def file_name(path: Path) -> str:
    """In messages."""
    return "stdin" if str(path) == "-" else str(path)


def open_rows(path: Path, predictor: Predictor, plugins: Sequence[Path], given: Mapping[str, str]) -> RowFile:
    """The rows of `path`: one by one where the file is plain; else whole, by the reader that takes it. `given` are columns by role.

    Raises DataError.
    """
    from autoft.loading import read_rows
    from autoft.runtime.columnar import stream_parquet
    from autoft.runtime.files import RowFile, stream_file

    problem = predictor.problem
    wanted = {*given.values(), *(name for role in problem.inputs for name in (role, *problem.fields.get(role, ())))}
    streamed = stream_file(path, wanted) or stream_parquet(path, wanted)
    if streamed is not None:
        return streamed
    table = read_rows(path, plugin_files=plugins, unlabelled=None if given else _lines(predictor, wanted))
    for note in table.notes:
        click.echo(note, err=True)
    return RowFile(table.names, iter(table.records()), len(table))


def _lines(predictor: Predictor, wanted: Collection[str]) -> Callable[[Sequence[Reader]], Reader] | None:
    """Makes the reader of files without a header, for a model of one text; None for any other."""
    from functools import partial

    from autoft.data.lines import Lines

    problem = predictor.problem
    names = [name for role in problem.inputs for name in problem.fields.get(role, (role,))]
    kinds = predictor.bundle.manifest.input_schema.get("properties", {}).get(problem.inputs[0], {}).get("type", [])
    if len(names) != 1 or "string" not in kinds:
        return None
    return partial(Lines, names[0], wanted, "array" in kinds)
