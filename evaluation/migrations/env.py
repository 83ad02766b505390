"""Alembic's entry: run the migrations on the connection the ledger hands over."""

from alembic import context

import evaluation.timebank  # noqa: F401  (its tables belong to the same metadata)
from evaluation.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
