"""The catalogue as it was changed through the service: durable, and the same for every process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from evaluation.ledger import Ledger
from evaluation.service_tables import StoredResource

_PAGE = 500


def stored_resources(ledger: Ledger) -> list[dict[str, Any]]:
    """The stored resources, in the order of their ids; none where the catalogue was never changed."""
    with ledger.engine.connect() as connection:
        return list(connection.execute(select(StoredResource.body).order_by(StoredResource.id)).scalars())


def store_change(
    ledger: Ledger,
    put: Sequence[Mapping[str, Any]],
    removed: Sequence[str],
    base: Iterable[Mapping[str, Any]],
    actor: str,
) -> None:
    """Put and remove resources in one transaction; the first change also stores `base`, what was there before."""
    now = datetime.now(UTC)
    with ledger.engine.begin() as connection:
        if connection.execute(select(StoredResource.id).limit(1)).scalar() is None:
            _insert(connection, base, actor, now)
        gone = [*removed, *(str(body["id"]) for body in put)]
        for start in range(0, len(gone), _PAGE):
            connection.execute(
                delete(StoredResource).where(StoredResource.id.in_(gone[start : start + _PAGE]))
            )
        _insert(connection, put, actor, now)


def _insert(connection: Connection, bodies: Iterable[Mapping[str, Any]], actor: str, now: datetime) -> None:
    rows = [
        {"id": body["id"], "body": dict(body), "changed_at": now, "changed_by": actor[:100]}
        for body in bodies
    ]
    if rows:
        connection.execute(insert(StoredResource), rows)
