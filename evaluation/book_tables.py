"""What the books keep beside the ledger's own tables: audits and counts by week."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Float, Integer, String
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


class WeeklyCount(Base):
    """How many predictions of a local week share source, district, domain and tier; '' for none."""

    __tablename__ = "weekly_counts"

    week: Mapped[date] = mapped_column(Date, primary_key=True)
    source: Mapped[str] = mapped_column(LABEL, primary_key=True)
    district: Mapped[str] = mapped_column(String(100), primary_key=True)
    domain: Mapped[str] = mapped_column(LABEL, primary_key=True)
    tier: Mapped[str] = mapped_column(LABEL, primary_key=True)
    predictions: Mapped[int] = mapped_column(Integer)
    reviews: Mapped[int] = mapped_column(Integer)
    matched: Mapped[int] = mapped_column(Integer)


class CountedWeek(Base):
    """A week that was counted: over how many predictions, and how far east of UTC its midnights lie."""

    __tablename__ = "counted_weeks"

    week: Mapped[date] = mapped_column(Date, primary_key=True)
    offset_minutes: Mapped[int] = mapped_column(Integer)
    predictions: Mapped[int] = mapped_column(Integer)
