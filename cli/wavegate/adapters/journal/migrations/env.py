"""Alembic's entry: runs the steps on the connection, and in the transaction, that `schema.migrate` opened."""

from __future__ import annotations

from alembic import context

from wavegate.adapters.journal.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
