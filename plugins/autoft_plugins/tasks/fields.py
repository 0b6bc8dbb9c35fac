"""The columns of a file and the fields of a request, found by role, cleaned and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoft.data.columns import is_missing
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.problem import Problem
from autoft_plugins.tasks.texts import clean


def column_names(problem: Problem, table: Table, role: str) -> tuple[str, ...]:
    """What the columns of `role` are called in `table`: as in the file that was learned from, or a single one by its role.

    Raises DataError with the nearest name.
    """
    names = problem.fields[role]
    if len(names) == 1 and names[0] not in table and role in table:
        return (role,)
    for name in names:
        if name not in table:
            raise _absent(table, name, role)
    return names


def column(problem: Problem, table: Table, role: str) -> Sequence[Any]:
    """The values of a role that has one column. Raises DataError."""
    return table[column_names(problem, table, role)[0]]


def where(table: Table, row: int, name: str) -> str:
    """`data.csv, row 7, column 'label'`, counted from 1 below the header."""
    place = f"{table.origin}, row" if table.origin else "row"
    return f"{place} {table.number(row)}, column {name!r}"


def flag(role: str) -> str:
    """How a column of this role is named on the command line."""
    return f"--{role} NAME" if role in ("text", "label") else f"--column {role}=NAME"


def shown(value: object) -> str:
    """A value in a message: its type, and its beginning."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def texts_of(problem: Problem, table: Table, role: str) -> list[str]:
    """Clean strings; a missing one is empty, numbers are written out. Raises DataError at lists and objects."""
    (name,) = column_names(problem, table, role)
    return [clean(value) if isinstance(value, str) else _written(value, table, row, name) for row, value in enumerate(table[name])]


def requested_texts(records: Sequence[Mapping[str, Any]], roles: Sequence[str]) -> dict[str, list[str]]:
    """The texts of a request by role. Raises DataError naming the row, counted from 1, and the field."""
    example = "send {" + ", ".join(f'"{role}": "..."' for role in roles) + "}"
    for row, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise DataError(f"row {row}: {shown(record)} is not an object", hint=example)
        for role in roles:
            _check_field(record, role, f"row {row}", example)
    return {role: [clean(record[role]) for record in records] for role in roles}


def _check_field(record: Mapping[str, Any], role: str, place: str, example: str) -> None:
    if role not in record:
        close = nearest(role, map(str, record))
        has = f"; it has {listed(map(str, record), 6)}" if record else ""
        raise DataError(f"{place}: the field {role!r} is missing{has}", hint=f"is {close!r} the {role}?" if close else example)
    if not isinstance(record[role], str):
        raise DataError(f"{place}: the field {role!r} is {shown(record[role])}, not a string", hint=example)


def _absent(table: Table, name: str, role: str) -> DataError:
    close = nearest(name, table.names)
    hint = f"is {close!r} the {role}? rename it {name!r}" if close else f"name the column with the {role} {name!r}"
    return DataError(
        f"{table.origin or 'the table'}: there is no column {name!r} ({role}); the columns are {listed(table.names)}", hint=hint
    )


def _written(value: object, table: Table, row: int, name: str) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, list | tuple | dict | set | bytes):
        raise DataError(f"{where(table, row, name)}: {shown(value)} is not a text", hint="name another column of texts")
    return str(value)
