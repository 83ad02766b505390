"""The ledger: every answered prediction, durable before the answer leaves; masked text only."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Engine,
    Float,
    String,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from matching.records import Matching
from models.records import Identification

_PATIENCE_SECONDS = 10
_UPGRADE_LOCK = 0x5A685875  # one number for every Zhixu process on a PostgreSQL server
_UPGRADING = threading.Lock()  # Alembic keeps one migration context for the whole process


class Base(DeclarativeBase):
    """The tables of the ledger; `migrations/` holds their history."""


class Prediction(Base):
    """One answered message."""

    __tablename__ = "predictions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(200), index=True)
    answered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    source: Mapped[str | None] = mapped_column(String(64))
    district: Mapped[str | None] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(String(64), index=True)
    confidence: Mapped[float] = mapped_column(Float)
    tier: Mapped[str | None] = mapped_column(String(64))
    urgency: Mapped[str | None] = mapped_column(String(64))
    review: Mapped[bool] = mapped_column(Boolean)
    needs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    matches: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    model: Mapped[str] = mapped_column(String(64))
    taxonomy: Mapped[str] = mapped_column(String(64))
    catalogue: Mapped[str | None] = mapped_column(String(64))


class Ledger:
    """Predictions in a database named by an SQLAlchemy URL (SQLite in WAL mode, or PostgreSQL)."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(url)
        if parsed.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _durable_sqlite)
        self._upgrade()

    def _upgrade(self) -> None:
        """Bring the tables to this version's shape; one process at a time where several start at once."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            config.attributes["connection"] = connection
            with _UPGRADING:
                command.upgrade(config, "head")
            connection.commit()

    @property
    def engine(self) -> Engine:
        """The engine, for reports."""
        return self._engine

    def record(
        self, identifications: Sequence[Identification], matchings: Sequence[Matching] | None = None
    ) -> list[str]:
        """Write predictions in one transaction; returns their ids once they are durable."""
        if not identifications:
            return []
        now = datetime.now(UTC)
        answered: Sequence[Matching | None] = (
            matchings if matchings is not None else [None] * len(identifications)
        )
        rows = [_row(one, matching, now) for one, matching in zip(identifications, answered, strict=True)]
        with self._engine.begin() as connection:
            connection.execute(insert(Prediction), rows)
        return [row["id"] for row in rows]

    def count(self) -> int:
        """How many predictions the ledger holds."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(Prediction)).scalar_one())

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def _row(one: Identification, matching: Matching | None, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "message_id": one.id,
        "answered_at": now,
        "source": one.prepared.source,
        "district": one.prepared.district,
        "text": one.prepared.text.replace("\0", ""),
        "domain": one.domain,
        "confidence": one.confidence,
        "tier": one.tier,
        "urgency": one.urgency,
        "review": one.review,
        "needs": [asdict(need) for need in one.needs],
        "matches": None if matching is None else [asdict(match) for match in matching.matches],
        "model": one.model,
        "taxonomy": one.taxonomy,
        "catalogue": None if matching is None else matching.catalogue,
    }


def _durable_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_PATIENCE_SECONDS * 1000}")
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:  # switching to WAL fails at once where another process holds a lock, whatever the timeout
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
