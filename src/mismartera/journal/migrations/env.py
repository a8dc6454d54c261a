"""Where alembic begins: the connection is handed in by :func:`mismartera.journal.database.upgrade`."""

from alembic import context

from mismartera.journal.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
