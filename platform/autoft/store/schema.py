"""Opening a database: its engine, and bringing its schema up to date, safe when several processes do so at once."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from autoft.errors import InputError
from autoft.store.address import VARIABLE, masked

SCHEMA = "0003"
"""The newest revision in migrations/versions; a test holds the two together."""

BUSY_SECONDS = 30.0
_LOCK = 0x6175746F  # any number that no other application of the server is likely to take


def open_engine(url: str) -> Engine:
    """An engine whose schema is the newest. Raises InputError, with the password masked."""
    try:
        parsed = _parsed(url)
        engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else create_engine(parsed, pool_pre_ping=True)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise _refused(url, str(getattr(error, "orig", None) or error)) from None
    except ImportError as error:
        hint = 'pip install "autoft[postgres]"' if "postgres" in url else f"install the driver, or unset {VARIABLE}"
        raise InputError(f"the database {masked(url)} needs a driver that is not installed: {error}", hint=hint) from None
    return engine


def _refused(url: str, reason: str) -> InputError:
    password = getattr(_quiet_url(url), "password", None)
    if password:
        reason = reason.replace(str(password), "***")
    return InputError(
        f"the database {masked(url)} cannot be opened: {' '.join(reason.split())}",
        hint=f"set {VARIABLE} to a path like sqlite:///runs.db or postgresql://user@host/name",
    )


def _quiet_url(url: str) -> URL | None:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError):
        return None


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise _refused(url, "this is not the address of a database that SQLAlchemy knows") from None
    return parsed


def _sqlite(url: URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if url.database and not in_memory:
        Path(url.database).expanduser().absolute().parent.mkdir(parents=True, exist_ok=True)
        url = url.set(database=str(Path(url.database).expanduser().absolute()))
    # NullPool: no connection outlives its transaction, so none is shared with a forked process.
    options: dict[str, Any] = {} if in_memory else {"poolclass": NullPool}
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        if not in_memory:
            _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that begins by reading and then writes fails at once, whatever the timeout, if another wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Once a database; the switch itself does not wait for the busy timeout, so it is repeated."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def revision_of(connection: Connection) -> str | None:
    """The schema a database has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, revision: str = SCHEMA) -> None:
    """Bring the schema up to `revision`: one process does it, the others wait for it."""
    with engine.connect() as connection:
        if revision_of(connection) == revision:
            return
    with engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        held = revision_of(connection)
        if held != revision:
            _upgrade(connection, held, revision)


def _upgrade(connection: Connection, held: str | None, revision: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if held is not None and held not in known:
        shown = connection.engine.url.render_as_string(hide_password=True)
        raise InputError(
            f"the database {shown} has schema {held}, which this autoft (schema {SCHEMA}) does not know: a newer release wrote it",
            hint=f"pip install --upgrade autoft, or point {VARIABLE} elsewhere",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def alembic_config() -> Any:
    """Alembic without its ini file."""
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config
