from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft.store import Store


@pytest.fixture(scope="session")
def stream():
    import stream_of_events

    return stream_of_events


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    pytest.importorskip("psycopg")
    import postgres_server as postgres

    binaries = postgres.binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    with postgres.server(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/my data/autoft.db"
    from sqlalchemy import create_engine, text

    server = request.getfixturevalue("postgres_url")
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS runs WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE runs"))
    engine.dispose()
    return server.replace("/postgres?", "/runs?")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
