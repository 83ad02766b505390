"""Weekly counts: how many predictions of each kind a week brought, kept so that pages need not count the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, case, delete, exists, func, insert, literal, select
from sqlalchemy.exc import OperationalError

from evaluation.book_tables import CountedWeek, WeeklyCount
from evaluation.columns import Column, count_cells
from evaluation.ledger import Ledger
from evaluation.periods import OFFSET_MINUTES, Period, week_of
from evaluation.tables import Prediction, ProposedMatch

KINDS = ("source", "district", "domain", "tier")
_TALLIES = ("predictions", "reviews", "matched")
_LOCK = 0x5A680005  # one number for every Zhixu process on a PostgreSQL server


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts in cells: `columns` maps `week` (its Monday) and `KINDS` to labels, '' for none.

    `predictions`, those that wait for a person's look (`reviews`) and those a resource was proposed for (`matched`)
    are `(n_cells,)`.
    """

    columns: Mapping[str, Column]
    predictions: NDArray[np.int64]
    reviews: NDArray[np.int64]
    matched: NDArray[np.int64]

    @property
    def total(self) -> int:
        """All predictions."""
        return int(self.predictions.sum())

    def by(self, *dimensions: str) -> dict[tuple[str, ...], int]:
        """Predictions by the values of several dimensions, in order of the values."""
        return dict(count_cells([self.columns[name] for name in dimensions], self.predictions))

    def keep(self, kept: NDArray[np.bool_]) -> Counts:
        """Some of the cells."""
        columns = {name: column.take(kept) for name, column in self.columns.items()}
        return Counts(columns, self.predictions[kept], self.reviews[kept], self.matched[kept])

    def where(self, **chosen: str) -> Counts:
        """The cells whose columns have the given values."""
        kept = np.ones(len(self.predictions), bool)
        for name, value in chosen.items():
            kept &= self.columns[name].equals(value)
        return self.keep(kept)


def refresh_counts(ledger: Ledger, offset_minutes: int = OFFSET_MINUTES) -> int:
    """Count the weeks whose number of predictions changed, each in a short transaction; returns how many."""
    with ledger.engine.connect() as connection:
        first, last = connection.execute(
            select(func.min(Prediction.answered_at), func.max(Prediction.answered_at))
        ).one()
        known = {row.week: row for row in connection.execute(select(CountedWeek))}
        stale = []
        for week in _weeks(first, last, offset_minutes):
            row = known.pop(week, None)
            n = connection.execute(_count(_period(week, offset_minutes))).scalar_one()
            if row is None or (row.predictions, row.offset_minutes) != (n, offset_minutes):
                stale.append(week)
    for week in (*stale, *known):
        _recount(ledger, week, offset_minutes)
    return len(stale) + len(known)


def _weeks(first: datetime | None, last: datetime | None, offset_minutes: int) -> list[date]:
    if first is None or last is None:
        return []
    zone = Period(offset_minutes=offset_minutes).zone
    start, end = week_of(first.astimezone(zone).date()), last.astimezone(zone).date()
    return [start + timedelta(weeks=n) for n in range((end - start).days // 7 + 1)]


def _period(week: date, offset_minutes: int) -> Period:
    return Period.of_days(week, week + timedelta(days=6), offset_minutes)


def _count(period: Period) -> Select[Any]:
    return select(func.count()).select_from(Prediction).where(*period.within(Prediction.answered_at))


def _recount(ledger: Ledger, week: date, offset_minutes: int) -> None:
    period = _period(week, offset_minutes)
    with ledger.engine.connect() as connection:
        _lock(connection)
        for table in (WeeklyCount, CountedWeek):
            connection.execute(delete(table).where(table.week == week))
        cells = _cells(period).add_columns(literal(week).label("week"))
        connection.execute(insert(WeeklyCount).from_select([*KINDS, *_TALLIES, "week"], cells))
        n = connection.execute(_count(period)).scalar_one()
        if n:
            counted = {"week": week, "offset_minutes": offset_minutes, "predictions": n}
            connection.execute(insert(CountedWeek).values(counted))
        connection.commit()


def _lock(connection: Connection) -> None:
    """One process counts at a time, and sees on PostgreSQL the same rows from first to last statement."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _cells(period: Period) -> Select[Any]:
    kinds = [func.coalesce(getattr(Prediction, name), "").label(name) for name in KINDS]
    proposed = exists().where(ProposedMatch.prediction_id == Prediction.id)
    return (
        select(
            *kinds,
            func.count().label("predictions"),
            func.sum(case((Prediction.review, 1), else_=0)).label("reviews"),
            func.sum(case((proposed, 1), else_=0)).label("matched"),
        )
        .where(*period.within(Prediction.answered_at))
        .group_by(*kinds)
    )


def read_counts(ledger: Ledger, period: Period) -> Counts:
    """The counts of the whole weeks from the period's first to its last day, as they were last refreshed."""
    first, last = period.days
    columns = [getattr(WeeklyCount, name) for name in ("week", *KINDS, *_TALLIES)]
    query = select(*columns).order_by(*columns[: len(KINDS) + 1])
    if first:
        query = query.where(WeeklyCount.week >= week_of(first))
    if last:
        query = query.where(WeeklyCount.week <= last)
    with ledger.engine.connect() as connection:
        return _counts(connection.execute(query).all())


def count_now(ledger: Ledger, period: Period) -> Counts:
    """The counts of exactly the period, from the predictions themselves; writes nothing."""
    rows: list[tuple[Any, ...]] = []
    with ledger.engine.connect() as connection:
        first, last = connection.execute(
            select(func.min(Prediction.answered_at), func.max(Prediction.answered_at)).where(
                *period.within(Prediction.answered_at)
            )
        ).one()
        for week in _weeks(first, last, period.offset_minutes):
            whole = _period(week, period.offset_minutes)
            assert whole.start is not None
            assert whole.end is not None
            part = Period(
                max(whole.start, period.start or whole.start), min(whole.end, period.end or whole.end)
            )
            found = connection.execute(_cells(part)).all()
            rows.extend((week, *row) for row in sorted(found, key=lambda row: tuple(row[: len(KINDS)])))
    return _counts(rows)


def fresh_counts(ledger: Ledger, period: Period) -> Counts:
    """The counts of a period, kept ones where it consists of whole weeks and the ledger can be written to."""
    first, last = period.days
    whole = (first is None or first.weekday() == 0) and (last is None or last.weekday() == 6)
    if not whole:
        return count_now(ledger, period)
    try:
        refresh_counts(ledger, period.offset_minutes)
    except OperationalError:
        return count_now(ledger, period)
    return read_counts(ledger, period)


def _counts(rows: Any) -> Counts:
    columns = {"week": Column.of(str(row[0]) for row in rows)}
    columns |= {name: Column.of(row[n] for row in rows) for n, name in enumerate(KINDS, 1)}
    start = len(KINDS) + 1
    tallies = [np.asarray([row[n] for row in rows], np.int64) for n in range(start, start + 3)]
    return Counts(columns, *tallies)
