"""The ledger: every answered prediction, durable before the answer leaves; masked text only."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from evaluation.tables import PredictedNeed, Prediction, ProposedMatch
from matching.records import Matching
from models.records import Identification

DEFAULT_LEDGER = "sqlite:///var/zhixu.sqlite"

_PATIENCE_SECONDS = 10
_UPGRADE_LOCK = 0x5A685875  # one number for every Zhixu process on a PostgreSQL server
_UPGRADING = threading.Lock()  # Alembic keeps one migration context for the whole process


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, as far as the ledger needs it: `resident` a keyed hash, `due_at` its deadline."""

    resident: str | None = None
    received_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ids under which an answer stands in the ledger; its matches' in order of rank."""

    prediction_id: str
    match_ids: tuple[str, ...] = ()


class Ledger:
    """Predictions in a database named by an SQLAlchemy URL (SQLite in WAL mode, or PostgreSQL)."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(url, **_engine_options(parsed))
        if parsed.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _durable_sqlite)
        self.migrate()

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to a revision's shape, up or down; one process at a time where several start at once."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.connect() as connection:
            sqlite = connection.dialect.name == "sqlite"
            if (
                sqlite
            ):  # a table is altered by copying it: its rows' dependants must not leave with the old one
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            config.attributes["connection"] = connection
            with _UPGRADING:
                step = command.upgrade if revision == "head" else command.downgrade
                step(config, revision)
            connection.commit()
            if sqlite:
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")

    @property
    def engine(self) -> Engine:
        """The engine, for reports."""
        return self._engine

    def session(self) -> Session:
        """A session for reading; its objects stay usable after it closes."""
        return Session(self._engine, expire_on_commit=False)

    def record(
        self,
        identifications: Sequence[Identification],
        matchings: Sequence[Matching] | None = None,
        origins: Sequence[Origin] | None = None,
    ) -> list[Recorded]:
        """Write predictions, needs and matches in one transaction; returns their ids once they are durable."""
        if not identifications:
            return []
        now = datetime.now(UTC)
        count = len(identifications)
        answered = matchings if matchings is not None else [None] * count
        entries = Entries()
        for one, matching, origin in zip(
            identifications, answered, origins or [Origin()] * count, strict=True
        ):
            entries.add(one, matching, origin, now)
        with self._engine.begin() as connection:
            entries.insert(connection)
        return entries.recorded

    def count(self) -> int:
        """How many predictions the ledger holds."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(Prediction)).scalar_one())

    def check(self) -> None:
        """Read a row, cheaply. Raises SQLAlchemyError while the ledger cannot be reached."""
        with self._engine.connect() as connection:
            connection.execute(select(Prediction.id).limit(1)).all()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


@dataclass
class Entries:
    """The rows of a batch of answers, table by table."""

    predictions: list[dict[str, Any]] = field(default_factory=list)
    needs: list[dict[str, Any]] = field(default_factory=list)
    matches: list[dict[str, Any]] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)

    def add(self, one: Identification, matching: Matching | None, origin: Origin, now: datetime) -> Recorded:
        """Add one answer given at `now`; returns the ids it will stand under."""
        key = uuid.uuid4().hex
        self.predictions.append(
            {
                "id": key,
                "message_id": _storable(one.id),
                "resident": origin.resident,
                "received_at": origin.received_at,
                "answered_at": now,
                "due_at": origin.due_at,
                "source": one.prepared.source,
                "district": None if one.prepared.district is None else _storable(one.prepared.district),
                "text": _storable(one.prepared.text),
                "domain": one.domain,
                "confidence": one.confidence,
                "tier": one.tier,
                "urgency": one.urgency,
                "review": one.review,
                "model": one.model,
                "taxonomy": one.taxonomy,
                "catalogue": None if matching is None else matching.catalogue,
            }
        )
        self.needs.extend(
            {
                "prediction_id": key,
                "position": position,
                "domain": need.domain,
                "tier": need.tier,
                "confidence": need.confidence,
                "text": _storable(need.text),
                "evidence": [_storable(evidence.word) for evidence in need.evidence],
            }
            for position, need in enumerate(one.needs)
        )
        matches: list[dict[str, Any]] = [
            {
                "id": uuid.uuid4().hex,
                "prediction_id": key,
                "rank": rank,
                "resource_id": match.resource_id,
                "name": match.name,
                "score": match.score,
                "reasons": list(match.reasons),
                "ask": list(match.ask),
            }
            for rank, match in enumerate(() if matching is None else matching.matches, 1)
        ]
        self.matches.extend(matches)
        self.recorded.append(Recorded(key, tuple(match["id"] for match in matches)))
        return self.recorded[-1]

    def insert(self, connection: Connection) -> None:
        """Write the rows within the connection's transaction."""
        for table, values in (
            (Prediction, self.predictions),
            (PredictedNeed, self.needs),
            (ProposedMatch, self.matches),
        ):
            if values:
                connection.execute(insert(table), values)

    def extend(self, other: Entries) -> None:
        """Add another batch's rows."""
        self.predictions += other.predictions
        self.needs += other.needs
        self.matches += other.matches
        self.recorded += other.recorded


def _engine_options(url: URL) -> dict[str, Any]:
    """No message text in error messages; a server that was away is noticed before a transaction begins."""
    if url.get_backend_name() != "sqlite":
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": _PATIENCE_SECONDS}
        return {"hide_parameters": True, "pool_pre_ping": True, "connect_args": patience}
    if url.database in (None, "", ":memory:"):  # one database for every thread
        return {
            "hide_parameters": True,
            "poolclass": StaticPool,
            "connect_args": {"check_same_thread": False},
        }
    return {"hide_parameters": True}


def _storable(text: str) -> str:
    return text.replace("\0", "")


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
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what a resident has deleted leaves the file too
    cursor.close()
