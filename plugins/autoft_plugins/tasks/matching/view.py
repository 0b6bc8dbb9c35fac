"""A table as all the tasks look at it: its columns measured once, and what the user said about them."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoft.data.columns import Column, profile
from autoft.data.names import listed, nearest
from autoft.data.table import Table
from autoft.errors import DataError


@dataclass(frozen=True)
class View:
    """`table` with its columns measured, by name and in their order."""

    table: Table
    columns: Mapping[str, Column]

    def present(self, name: str, most: int = 2000) -> list[object]:
        """Values of a column that are there, evenly spread."""
        values = [value for value in self.table[name] if value is not None and value != ""]
        return values[:: max(1, len(values) // most)]

    def flag(self, role: str, name: str = "NAME") -> str:
        """The command that names a column."""
        flag = f"--{role}" if role in ("text", "label") else f"--column {role}="
        return f"autoft run {quoted(self.table.origin or 'FILE')} {flag}{'' if flag.endswith('=') else ' '}{quoted(name)}"

    def same(self, one: Column, other: Column) -> bool:
        """Whether two columns say the same in other words: 0, 1 and negative, positive."""
        pairs = set(zip(map(str, self.table[one.name]), map(str, self.table[other.name]), strict=True))
        return one.distinct == other.distinct == len(pairs)

    def given(self, given: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The columns that the user named, by role; `--label a,b,c` names several. Raises DataError where one is absent or named twice."""
        found = {role: self._named(role, names) for role, names in given.items()}
        seen: dict[str, str] = {}
        for role, names in found.items():
            for name in names:
                if name in seen:
                    what = f"{self.table.origin}: the column {name!r} cannot be both {seen[name]} and {role}"
                    raise DataError(what, hint=f"name a column for each: {self.flag(role)}")
                seen[name] = role
        return found

    def _named(self, role: str, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(names) == 1 and names[0] not in self.table and "," in names[0]:
            names = tuple(name.strip() for name in names[0].split(","))
        if len(names) != 1 and role != "label":
            raise DataError(f"{role} takes one column, not {len(names)}: {listed(names)}", hint=f"give --{role} NAME once")
        for name in names:
            if name not in self.table:
                close = nearest(name, self.table.names)
                hint = f"did you mean --{role} {quoted(close)}?" if close else f"--{role} takes one of them"
                what = f"{self.table.origin}: there is no column {name!r}; the columns are {listed(self.table.names)}"
                raise DataError(what, hint=hint)
        return names


def both(columns: Sequence[str]) -> str:
    """`'a' and 'b' could both`, `'a', 'b', 'c' could all`."""
    return f"{columns[0]!r} and {columns[1]!r} could both" if len(columns) == 2 else f"{listed(columns)} could all"


def quoted(name: str) -> str:
    """As a shell takes it."""
    return name if re.fullmatch(r"[\w./-]+", name) else f'"{name}"'


_latest: tuple[weakref.ref[Table], dict[str, Column]] | None = None


def view_of(table: Table) -> View:
    """The view of a table. The latest measures are kept, since the tasks ask for them one after the other."""
    global _latest
    if _latest is not None and _latest[0]() is table:
        return View(table, _latest[1])
    columns = {column.name: column for column in profile(table)}
    _latest = (weakref.ref(table), columns)
    return View(table, columns)
