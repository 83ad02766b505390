"""The tables of the ledger; `migrations/` holds their history.

Times are UTC. Texts are masked. Rows that hang on a prediction leave with it; logs of who did what stay.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """A time kept in UTC and read back with its zone; SQLite would drop the zone and keep the wall clock."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The time in UTC; one without a zone is taken for UTC."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The time with its zone."""
        return None if value is None else _in_utc(value)


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


LABEL = String(64)
MOMENT = Moment()


class Base(DeclarativeBase):
    """All tables of the ledger."""


def _of_prediction(**more: Any) -> Any:
    return mapped_column(String(32), ForeignKey("predictions.id", ondelete="CASCADE"), **more)


class Prediction(Base):
    """One answered message; `resident` is a keyed hash of who wrote it, `due_at` when its case must be answered."""

    __tablename__ = "predictions"
    __table_args__ = (Index("ix_predictions_review", "review", "answered_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(200), index=True)
    resident: Mapped[str | None] = mapped_column(String(64), index=True)
    received_at: Mapped[datetime | None] = mapped_column(MOMENT)
    answered_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    due_at: Mapped[datetime | None] = mapped_column(MOMENT)
    source: Mapped[str | None] = mapped_column(LABEL)
    district: Mapped[str | None] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(LABEL, index=True)
    confidence: Mapped[float] = mapped_column(Float)
    tier: Mapped[str | None] = mapped_column(LABEL)
    urgency: Mapped[str | None] = mapped_column(LABEL)
    review: Mapped[bool] = mapped_column(Boolean)
    model: Mapped[str] = mapped_column(LABEL)
    taxonomy: Mapped[str] = mapped_column(LABEL)
    catalogue: Mapped[str | None] = mapped_column(LABEL)


class PredictedNeed(Base):
    """One need of a prediction, the primary one at position 0."""

    __tablename__ = "needs"

    prediction_id: Mapped[str] = _of_prediction(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    domain: Mapped[str] = mapped_column(LABEL)
    tier: Mapped[str | None] = mapped_column(LABEL)
    confidence: Mapped[float] = mapped_column(Float)
    text: Mapped[str] = mapped_column(Text)
    evidence: Mapped[list[str]] = mapped_column(JSON)


class ProposedMatch(Base):
    """One resource proposed for a prediction's primary need, the best at rank 1."""

    __tablename__ = "matches"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    prediction_id: Mapped[str] = _of_prediction(index=True)
    rank: Mapped[int] = mapped_column(Integer)
    resource_id: Mapped[str] = mapped_column(String(100), index=True)
    name: Mapped[str] = mapped_column(String(300))
    score: Mapped[float] = mapped_column(Float)
    reasons: Mapped[list[str]] = mapped_column(JSON)
    ask: Mapped[list[str]] = mapped_column(JSON)


class Label(Base):
    """What a person said a message is about; `origin` tells on what occasion (feedback, review, audit, import)."""

    __tablename__ = "labels"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    prediction_id: Mapped[str | None] = _of_prediction(index=True)
    message_id: Mapped[str] = mapped_column(String(200))
    labelled_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    annotator: Mapped[str] = mapped_column(String(100))
    origin: Mapped[str] = mapped_column(String(32))
    source: Mapped[str | None] = mapped_column(LABEL)
    district: Mapped[str | None] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(LABEL)
    secondary: Mapped[list[str]] = mapped_column(JSON)
    tier: Mapped[str | None] = mapped_column(LABEL)
    urgency: Mapped[str | None] = mapped_column(LABEL)


class Outcome(Base):
    """What became of a match: accepted or declined, then met or unmet."""

    __tablename__ = "outcomes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    match_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("matches.id", ondelete="CASCADE"), index=True
    )
    told_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(100))


class Activation(Base):
    """Which model or catalogue answered from when on; append only. `subject` is an alias, a service, a catalogue."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    activated_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    subject: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(LABEL)
    previous: Mapped[str | None] = mapped_column(LABEL)
    actor: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    forced: Mapped[bool] = mapped_column(Boolean)


class Access(Base):
    """Who read, exported or deleted what; append only. `subject` is a keyed hash or a filter, never a name."""

    __tablename__ = "accesses"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    accessed_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(200))
    n_records: Mapped[int] = mapped_column(Integer)


class AuditCase(Base):
    """One prediction drawn for an audit, with the probability in 0–1 with which its stratum was drawn from."""

    __tablename__ = "audit_cases"

    audit: Mapped[str] = mapped_column(String(64), primary_key=True)
    prediction_id: Mapped[str] = _of_prediction(primary_key=True, index=True)
    drawn_at: Mapped[datetime] = mapped_column(MOMENT)
    stratum: Mapped[str] = mapped_column(String(200))
    probability: Mapped[float] = mapped_column(Float)
