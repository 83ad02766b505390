"""Rows whose ids the caller names, so that writing them again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from evaluation.tables import Base

_PAGE = 500


class ReusedIdError(ValueError):
    """An id under which something else stands already."""


def insert_new(
    connection: Connection, table: type[Base], key: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows whose `key` is free and leave the others; where another transaction holds a key, wait for it.

    Keys are taken in order, so that two transactions that want the same ones cannot wait for each other.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=[key])
    connection.execute(statement, sorted((dict(row) for row in rows), key=lambda row: str(row[key])))


def rows_by_key(
    connection: Connection, table: type[Base], key: str, keys: Sequence[str]
) -> dict[str, RowMapping]:
    """The rows of a table that stand under some keys."""
    column = table.__table__.c[key]
    found: dict[str, RowMapping] = {}
    for start in range(0, len(keys), _PAGE):
        page = select(table.__table__).where(column.in_(keys[start : start + _PAGE]))
        found |= {row[key]: row for row in connection.execute(page).mappings()}
    return found


def insert_once(
    connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]], ignored: Sequence[str]
) -> None:
    """Insert rows by `id`; those that stand there already must be the same but for the `ignored` columns.

    Raises ReusedIdError otherwise.
    """
    insert_new(connection, table, "id", rows)
    held = rows_by_key(connection, table, "id", [str(row["id"]) for row in rows])
    for row in rows:
        there = held[str(row["id"])]
        if any(there[name] != value for name, value in row.items() if name not in ignored):
            raise ReusedIdError("the id stands for something else; give a new one")
