"""What the law gives a resident: records kept no longer than needed, a copy of them, and their deletion.

Personal Information Protection Law of the PRC, articles 19 (retention), 45 (access and copy), 47 (deletion; also
on withdrawal of consent, article 15). Every such act is noted in `accesses`, in its own transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, inspect, select

from evaluation.ledger import Ledger
from evaluation.tables import (
    Access,
    Base,
    Label,
    Outcome,
    PredictedNeed,
    Prediction,
    ProposedMatch,
)

_PAGE = 2000


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed hashes (HMAC-SHA-256, RFC 2104) in place of references that may be personal.

    Without the secret a hash cannot be traced back by trying references one after the other.
    """

    secret: bytes = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Pseudonyms:
        """The secret a file holds; where there is none, a new one is written, readable by its owner alone.

        Raises ValueError for a file with less than 32 bytes.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_hex(32).encode())
                stream.flush()
                os.fsync(stream.fileno())
        secret = path.read_bytes().strip()
        if len(secret) < 32:
            raise ValueError(f"{path} holds {len(secret)} bytes; a secret has 32 at least, 64 hex digits say")
        return cls(secret)

    def of(self, kind: str, *parts: str) -> str:
        """The hash, 64 hexadecimal digits, of a reference of some kind, such as `resident`."""
        message = b"\0".join(part.encode("utf-8", "surrogatepass") for part in (kind, *parts))
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()


def retain(ledger: Ledger, older_than: timedelta, actor: str, source: str | None = None) -> int:
    """Delete what was answered or labelled longer ago than `older_than`, of one source or all.

    Needs, matches, outcomes, labels and receipts leave with their prediction. Returns how many predictions and
    labels without a prediction were deleted.
    """
    until = datetime.now(UTC) - older_than
    told = f"older than {older_than.days} d" + (f", source {source}" if source else "")
    old = [Prediction.answered_at < until]
    lone = [Label.labelled_at < until, Label.prediction_id.is_(None)]
    if source is not None:
        old.append(Prediction.source == source)
        lone.append(Label.source == source)
    count = _delete(ledger, Prediction, old, actor, "retain", told)
    count += _delete(ledger, Label, lone, actor, "retain", told)
    if not count:
        _note(ledger, actor, "retain", told)
    _truncate_log(ledger)
    return count


def delete_resident(ledger: Ledger, resident: str, actor: str) -> int:
    """Delete every record of one resident, by keyed hash; returns how many predictions there were."""
    count = _delete(ledger, Prediction, [Prediction.resident == resident], actor, "delete", resident)
    if not count:
        _note(ledger, actor, "delete", resident)
    _truncate_log(ledger)
    return count


def export_resident(ledger: Ledger, resident: str, actor: str) -> list[dict[str, Any]]:
    """Every record of one resident, by keyed hash, oldest first, with needs, matches, outcomes and labels."""
    with ledger.engine.begin() as connection:
        mine = select(Prediction).where(Prediction.resident == resident)
        predictions = _rows(connection, mine.order_by(Prediction.answered_at, Prediction.id))
        ids = [one["id"] for one in predictions]
        needs = _by(connection, PredictedNeed, PredictedNeed.prediction_id, ids)
        matches = _by(connection, ProposedMatch, ProposedMatch.prediction_id, ids)
        labels = _by(connection, Label, Label.prediction_id, ids)
        match_ids = [match["id"] for group in matches.values() for match in group]
        outcomes = _by(connection, Outcome, Outcome.match_id, match_ids)
        _insert_note(connection, actor, "export", resident, len(predictions))
    return [
        {name: value for name, value in one.items() if name != "resident"}
        | {
            "needs": needs.get(one["id"], []),
            "matches": [
                match | {"outcomes": outcomes.get(match["id"], [])} for match in matches.get(one["id"], [])
            ],
            "labels": labels.get(one["id"], []),
        }
        for one in predictions
    ]


def _delete(
    ledger: Ledger,
    table: type[Prediction] | type[Label],
    conditions: Sequence[ColumnElement[bool]],
    actor: str,
    action: str,
    subject: str,
) -> int:
    """Delete in pages, each noted in the transaction that deletes it."""
    total = 0
    while True:
        with ledger.engine.begin() as connection:
            ids = connection.execute(select(table.id).where(*conditions).limit(_PAGE)).scalars().all()
            if not ids:
                return total
            connection.execute(delete(table).where(table.id.in_(ids)))
            _insert_note(connection, actor, action, subject, len(ids))
        total += len(ids)


def _note(ledger: Ledger, actor: str, action: str, subject: str) -> None:
    with ledger.engine.begin() as connection:
        _insert_note(connection, actor, action, subject, 0)


def _insert_note(connection: Connection, actor: str, action: str, subject: str, n_records: int) -> None:
    row = {
        "accessed_at": datetime.now(UTC),
        "actor": actor[:100],
        "action": action,
        "subject": subject[:200],
        "n_records": n_records,
    }
    connection.execute(insert(Access), [row])


def _truncate_log(ledger: Ledger) -> None:
    """Empty SQLite's write-ahead log, where deleted pages would otherwise stay for a while."""
    if ledger.engine.dialect.name == "sqlite":
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _by(
    connection: Connection, table: type[Base], column: Any, keys: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Rows of a table by the value of one column, in the order of the primary key."""
    found: dict[str, list[dict[str, Any]]] = {}
    order = inspect(table).primary_key
    for start in range(0, len(keys), _PAGE):
        query = select(table).where(column.in_(keys[start : start + _PAGE])).order_by(*order)
        for row in _rows(connection, query):
            found.setdefault(row[column.key], []).append(row)
    return found
