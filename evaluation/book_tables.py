"""What the books keep beside the ledger's own tables: audits, counts by day, sessions of the pages."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from evaluation.tables import LABEL, MOMENT, Base


class Audit(Base):
    """One audit: the population is what was answered in `starts_at <= answered_at < ends_at`.

    `half_width` is the wanted half of the 95% interval of domain accuracy, `seed` draws the same cases again.
    """

    __tablename__ = "audits"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    ends_at: Mapped[datetime] = mapped_column(MOMENT)
    drawn_at: Mapped[datetime] = mapped_column(MOMENT)
    actor: Mapped[str] = mapped_column(String(100))
    half_width: Mapped[float] = mapped_column(Float)
    seed: Mapped[int] = mapped_column(Integer)
    population: Mapped[int] = mapped_column(Integer)
    drawn: Mapped[int] = mapped_column(Integer)


class DailyCount(Base):
    """How many predictions of a local day share source, district, domain, tier, urgency and model; '' for none."""

    __tablename__ = "daily_counts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    source: Mapped[str] = mapped_column(LABEL, primary_key=True)
    district: Mapped[str] = mapped_column(String(100), primary_key=True)
    domain: Mapped[str] = mapped_column(LABEL, primary_key=True)
    tier: Mapped[str] = mapped_column(LABEL, primary_key=True)
    urgency: Mapped[str] = mapped_column(LABEL, primary_key=True)
    model: Mapped[str] = mapped_column(LABEL, primary_key=True)
    predictions: Mapped[int] = mapped_column(Integer)
    reviews: Mapped[int] = mapped_column(Integer)
    matched: Mapped[int] = mapped_column(Integer)
    confidence: Mapped[float] = mapped_column(Float)


class CountState(Base):
    """Up to which moment the daily counts hold, over how many predictions, and in which local time."""

    __tablename__ = "count_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    offset_minutes: Mapped[int] = mapped_column(Integer)
    counted_to: Mapped[datetime] = mapped_column(MOMENT)
    predictions: Mapped[int] = mapped_column(Integer)


class PageSession(Base):
    """One signed-in person of the pages, known by the hash of a random token."""

    __tablename__ = "page_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(100), index=True)
    name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
