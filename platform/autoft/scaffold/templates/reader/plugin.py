"""Reads the one table of an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import autoft
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.reader import Reader


class SqliteReader:
    """A row of the table is a row of the data. A file with several tables is refused: which one is meant cannot be told."""

    name = "example-plugin"
    summary = "the table of an SQLite file"
    suffixes: tuple[str, ...] = (".sqlite", ".sqlite3")

    def matches(self, path: Path) -> bool:
        return path.is_file() and path.suffix.lower() in self.suffixes

    def read(self, path: Path) -> Table:
        """Raises DataError naming the file."""
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                found = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
                if len(found) != 1:
                    raise DataError(
                        f"{path} holds {len(found)} tables ({', '.join(found) or 'none'})", hint="write the one that is meant to CSV"
                    )
                quoted = found[0].replace('"', '""')
                cursor = connection.execute(f'SELECT * FROM "{quoted}"')
                names = [column[0] for column in cursor.description]
                rows = cursor.fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise DataError(f"{path} is no SQLite file that can be read: {error}", hint="open it with the sqlite3 command") from error
        columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        return Table(columns, str(path), (f"the rows are those of the table {found[0]}",))


@autoft.hookimpl
def autoft_register_readers() -> Sequence[Reader]:
    """What the entry point gives to autoft."""
    return [SqliteReader()]
