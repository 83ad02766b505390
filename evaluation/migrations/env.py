"""Alembic's entry: run the migrations on the connection the ledger hands over."""

from alembic import context

import evaluation.book_tables
import evaluation.service_tables  # noqa: F401  its tables stand in the same metadata
from evaluation.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
