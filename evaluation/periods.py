"""Periods of the books: from when to when, and which local day and week a moment belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import ColumnElement, Engine, Float, String, cast, func, literal_column

OFFSET_MINUTES = 480  # Beijing time, which knows no summer time


@dataclass(frozen=True, slots=True)
class Period:
    """`start <= moment < end`, either end open; days and weeks are those of a zone `offset_minutes` east of UTC."""

    start: datetime | None = None
    end: datetime | None = None
    offset_minutes: int = OFFSET_MINUTES

    @property
    def zone(self) -> timezone:
        """The local time of the books."""
        return timezone(timedelta(minutes=self.offset_minutes))

    @classmethod
    def of_days(
        cls, first: date | None = None, last: date | None = None, offset_minutes: int = OFFSET_MINUTES
    ) -> Period:
        """The local days `first` to `last`, both included. Raises ValueError when they are the wrong way round."""
        if first and last and last < first:
            raise ValueError(f"the period ends on {last}, before it starts on {first}; swap the two days")
        zone = timezone(timedelta(minutes=offset_minutes))

        def midnight(day: date) -> datetime:
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

        end = midnight(last + timedelta(days=1)) if last else None
        return cls(midnight(first) if first else None, end, offset_minutes)

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first and last local day, None where the period is open."""
        first = self.start.astimezone(self.zone).date() if self.start else None
        moment = (self.end - timedelta(microseconds=1)).astimezone(self.zone) if self.end else None
        return first, moment.date() if moment else None

    def within(self, column: Any) -> list[ColumnElement[bool]]:
        """The conditions that keep a column of moments inside the period."""
        conditions: list[ColumnElement[bool]] = []
        if self.start is not None:
            conditions.append(column >= self.start)
        if self.end is not None:
            conditions.append(column < self.end)
        return conditions

    def local_day(self, engine: Engine, column: Any) -> ColumnElement[str]:
        """The local day of a moment as text, YYYY-MM-DD."""
        if engine.dialect.name == "sqlite":
            day: ColumnElement[str] = func.date(cast(column, String), f"{self.offset_minutes:+d} minutes")
            return day
        shift: Any = literal_column(f"interval '{self.offset_minutes} minutes'")
        return func.to_char(func.timezone("UTC", column) + shift, "YYYY-MM-DD")


def week_of(day: date) -> date:
    """The Monday of a day's week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def seconds_between(engine: Engine, earlier: Any, later: Any) -> ColumnElement[float]:
    """The seconds from one column of moments to another, as SQL."""
    if engine.dialect.name == "sqlite":
        days: ColumnElement[float] = func.julianday(cast(later, String)) - func.julianday(
            cast(earlier, String)
        )
        return days * 86400.0
    return cast(func.extract("epoch", later - earlier), Float)
