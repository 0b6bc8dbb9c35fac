"""The rows that a bundle is asked: the user's, those of its run, or texts made for the purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from autoft.benching.figures import Asked, Kind
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Encoding
from autoft.loading import read_rows
from autoft.runtime.predictor import Predictor

MOST = 2_000
"""Rows that are taken of a file."""
MADE = 256
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96)
"""Tokens of the texts that are made, one after the other, where rows have a length."""
_ENCODED = 32
_SENTENCES = (
    "The parcel came two days late, but what was in it works.",
    "I would not buy this again: the left button sticks after a week.",
    "Our meeting on Tuesday has been moved to the small room upstairs.",
    "Please send the invoice to the new address and not to the old one.",
    "She read the whole report twice before she answered a single question.",
    "It rained all night, and in the morning the road to the lake was closed.",
    "The battery lasts about nine hours, which is more than I had hoped for.",
    "Nobody at the counter could tell us when the next train would leave.",
)


@dataclass(frozen=True)
class Questions:
    """`rows` have columns named by role; `asked` says whose they are."""

    rows: Table
    asked: Asked


Ask: TypeAlias = Callable[[Predictor], Questions]


def of_file(predictor: Predictor, records: Iterable[Mapping[str, Any]], columns: Mapping[str, str], name: str) -> Questions:
    """The first 2,000 rows of the file `name`. Raises DataError where it has none, or not the columns that the bundle reads."""
    read = list(islice(records, MOST))
    if not read:
        raise DataError(f"{name} holds no rows", hint="give a file with a row for each question")
    return _questions(predictor, predictor.read(read, columns=columns, origin=name), "file", name)


def of_run(predictor: Predictor, folder: Path, plugin_files: Sequence[Path] = ()) -> Questions | str:
    """2,000 rows of what the run in `folder` learned from; the reason, where that file is gone or has changed."""
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        data, directory = str(facts["settings"]["data"]), str(facts.get("directory", "."))
    except (OSError, ValueError, KeyError, TypeError):
        return f"{folder / 'run.json'} does not say what it learned from"
    if data == "-":
        return "the run learned from standard input"
    path = Path(directory) / data
    if not path.exists():
        return f"{path} is gone"
    try:
        table = read_rows(path, plugin_files=plugin_files)
        if table.sha256() != predictor.problem.data_sha256:
            return f"{path} has changed since the run"
        some = np.linspace(0, len(table) - 1, min(MOST, len(table))).astype(np.int64)
        return _questions(predictor, predictor.read(list(table.take(some).records()), origin=str(path)), "run", data)
    except DataError as error:
        return error.message


def made(predictor: Predictor, why: str = "") -> Questions:
    """256 rows of English sentences, of several lengths where rows have one. Raises DataError where the model wants something else."""
    schemas: Mapping[str, Any] = predictor.bundle.manifest.input_schema.get("properties", {})
    fields = predictor.problem.fields
    names = {role: (role,) if role in schemas else fields.get(role, (role,)) for role in predictor.problem.inputs}
    records = [
        {name: _value(schemas.get(name, {}), number + place, len(fields.get(role, (role,))))
         for place, role in enumerate(names) for name in names[role]}
        for number in range(MADE)
    ]  # fmt: skip
    try:
        rows = predictor.asked(records)
    except DataError as error:
        raise DataError(f"no rows can be made for this model: {error.message}", hint="--input FILE gives it some") from None
    return _questions(predictor, _of_lengths(predictor.encoding, rows), "made", "", why)


def sample(rows: Table, count: int) -> Table:
    """`count` of the rows, drawn once; all of them again and again where there are fewer."""
    drawn = np.random.default_rng(0).permutation(len(rows))
    return rows.take(np.resize(drawn, count))


def tokens(encoding: Encoding, rows: Table) -> int | None:
    """All of the rows', padding left out; None where rows have no length."""
    if encoding.max_length is None:
        return None
    total = 0
    for start in range(0, len(rows), _ENCODED):
        encoded = encoding.encode(rows.take(range(start, min(start + _ENCODED, len(rows)))))
        mask = encoded.arrays.get("attention_mask")  # a row of several windows has more tokens than its longest
        total += int(encoded.lengths.sum() if mask is None else mask.sum())
    return total


def _questions(predictor: Predictor, rows: Table, kind: Kind, name: str, why: str = "") -> Questions:
    total = tokens(predictor.encoding, rows)
    return Questions(rows, Asked(kind=kind, name=name, rows=len(rows), units=None if total is None else total / len(rows), why=why))


def _value(schema: Mapping[str, Any], number: int, columns: int) -> Any:
    """One that fits the schema of an input: a text where that may be, else its words, or numbers, one for each of `columns`."""
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next((one for one in kinds if one != "null"), "string")
    if kind in ("number", "integer"):
        return number % 7 + 1
    if kind == "boolean":
        return number % 2 == 0
    if kind == "array":
        items = schema.get("items", {})
        numeric = items.get("type") in ("number", "integer", ["number", "null"], ["integer", "null"])
        return [(number + column) % 7 + 1 for column in range(columns)] if numeric else _text(number).split()
    return _text(number)


def _text(number: int) -> str:
    """Numbers that are 8 apart, which get one length, begin with different sentences."""
    first = number + number // len(_SENTENCES)
    return " ".join(_SENTENCES[(first + place) % len(_SENTENCES)] for place in range(1 + number % 4))


def _of_lengths(encoding: Encoding, rows: Table) -> Table:
    """The rows with `LENGTHS` in turn, as far as the encoder goes."""
    longest = encoding.max_length
    if longest is None:
        return rows
    pieces = [encoding.resized(rows.take(range(k, len(rows), len(LENGTHS))), min(size, longest)) for k, size in enumerate(LENGTHS)]
    dealt = {name: [value for values in zip(*(piece[name] for piece in pieces), strict=True) for value in values] for name in rows.names}
    return rows.with_columns(dealt)
