"""Run by alembic with the connection that `autoft.store.schema` holds the lock on."""

from __future__ import annotations

from alembic import context

from autoft.store.tables import Run

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Run.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
context.run_migrations()
