"""Each schema that ever landed is upgraded to the newest, with its rows. A new schema adds a function to `FILLED`."""

from __future__ import annotations

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from autoft.errors import InputError
from autoft.store import Store
from autoft.store.schema import SCHEMA, _parsed, _sqlite, alembic_config, migrate, revision_of
from autoft.store.tables import Run


def fill_0001(connection: Connection) -> None:
    """A run with a trial and an artifact, in the words of schema 0001: never changed again."""
    run = (
        "INSERT INTO run (id, folder, data, task, status, settings, metric, greater_is_better, budget, best_candidate, best_value, verdict,"
        " reason, seconds, created, finished, host, pid, process) VALUES ('old', '/runs/old', 'a.csv', 'text-classification', 'done',"
        " :settings, 'f1_macro', true, 60.0, 'linear', 0.5, 'fine', '', 9.5, 1000.0, 1009.5, 'there', 1, '')"
    )
    trial = (
        "INSERT INTO trial (run_id, number, candidate, status, stage, progress, metrics, value, seconds, busy_seconds,"
        " hyperparameters, reason, started, finished) VALUES"
        " ('old', 1, 'linear', 'done', 'search', 100, :metrics, 0.5, 2.0, 1.5, :point, '', 1001.0, 1003.0)"
    )
    artifact = "INSERT INTO artifact (run_id, path, kind, sha256, bytes) VALUES ('old', 'run.json', 'settings', 'ab', 5000000000)"
    connection.execute(text(run), {"settings": json.dumps({"seed": 3})})
    connection.execute(text(trial), {"metrics": json.dumps({"f1_macro": 0.5}), "point": json.dumps({"C": 1.0})})
    connection.execute(text(artifact))


def fill_0002(connection: Connection) -> None:
    """The same with a format, in the words of schema 0002: never changed again."""
    fill_0001(connection)
    connection.execute(text("UPDATE run SET formats = :formats"), {"formats": json.dumps([{"name": "onnx", "bytes": 5}])})


def fill_0003(connection: Connection) -> None:
    """The same, and the trial learned from a part of the rows, in the words of schema 0003: never changed again."""
    fill_0002(connection)
    connection.execute(text("UPDATE trial SET rows = 20000"))


FILLED = {"0001": fill_0001, "0002": fill_0002, "0003": fill_0003}


def _engine(url: str):
    if url.startswith("sqlite"):
        return _sqlite(_parsed(url))
    from sqlalchemy import create_engine

    return create_engine(_parsed(url))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def test_every_schema_that_landed_has_its_rows_here():
    assert {script.revision for script in _scripts().walk_revisions()} == set(FILLED)
    assert _scripts().get_heads() == [SCHEMA]


@pytest.mark.parametrize("revision", sorted(FILLED))
def test_a_database_of_that_schema_is_upgraded_with_its_rows(url, revision):
    engine = _engine(url)
    migrate(engine, revision)
    with engine.execution_options(writes=True).begin() as connection:
        FILLED[revision](connection)
    engine.dispose()
    store = Store(url)
    run = store.run("old")
    assert (run.best_candidate, run.best_value, run.settings, run.finished) == ("linear", 0.5, {"seed": 3}, 1009.5)
    assert run.greater_is_better is True
    assert run.formats == ([] if revision < "0002" else [{"name": "onnx", "bytes": 5}])
    (trial,) = store.trials("old")
    assert (trial.value, trial.metrics, trial.hyperparameters) == (0.5, {"f1_macro": 0.5}, {"C": 1.0})
    assert trial.rows == (None if revision < "0003" else 20_000)
    assert store.artifacts("old")[0].bytes == 5_000_000_000
    store.close()


def test_the_migrations_make_what_the_tables_say(store):
    with store._engine.connect() as connection:
        assert revision_of(connection) == SCHEMA
        assert compare_metadata(MigrationContext.configure(connection), Run.metadata) == []


def test_a_database_of_a_newer_release_is_refused(url):
    store = Store(url)
    with store._engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(InputError, match="schema 9999") as error:
        Store(url)
    assert "s3cret" not in error.value.message


def test_a_migration_that_fails_leaves_nothing(url, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(
        "alembic.command.upgrade", lambda config, _: (config.attributes["connection"].execute(text("CREATE TABLE run (id INT)")), fail())
    )
    with pytest.raises(RuntimeError, match="power"):
        Store(url)
    monkeypatch.undo()
    store = Store(url)
    assert store.runs() == []
    store.close()
