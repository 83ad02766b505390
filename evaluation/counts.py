"""Daily counts: how many predictions of each kind a day brought, kept beside the ledger so that pages need not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    Date,
    Integer,
    Select,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.exc import OperationalError

from evaluation.book_tables import CountState, DailyCount
from evaluation.ledger import Ledger
from evaluation.periods import OFFSET_MINUTES, Period, week_of
from evaluation.tables import Prediction, ProposedMatch

KINDS = ("source", "district", "domain", "tier", "urgency", "model")
_TALLIES = ("predictions", "reviews", "matched", "confidence")
_LOCK = 0x5A680005  # one number for every Zhixu process on a PostgreSQL server
_LATE = timedelta(minutes=10)  # an answer is dated before it is durable; what is this young is counted again


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts in cells: `columns` maps `day`, `week` (its Monday) and `KINDS` to text `(n_cells,)`, '' for none.

    `predictions`, `reviews` and `matched` count, `confidence` sums the calibrated confidences, all `(n_cells,)`.
    """

    columns: Mapping[str, NDArray[np.str_]]
    predictions: NDArray[np.int64]
    reviews: NDArray[np.int64]
    matched: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def total(self) -> int:
        """All predictions."""
        return int(self.predictions.sum())

    def by(self, *dimensions: str) -> dict[tuple[str, ...], int]:
        """Predictions by the values of several dimensions, in order of the values."""
        if not len(self.predictions):
            return {}
        stacked = np.stack([self.columns[name] for name in dimensions])
        values, codes = np.unique(stacked, axis=1, return_inverse=True)
        sums = np.bincount(codes.ravel(), self.predictions)
        return {tuple(map(str, values[:, n])): int(count) for n, count in enumerate(sums.tolist()) if count}

    def where(self, **chosen: str) -> Counts:
        """The cells whose columns have the given values."""
        kept = np.ones(len(self.predictions), bool)
        for name, value in chosen.items():
            kept &= self.columns[name] == value
        return Counts(
            {name: column[kept] for name, column in self.columns.items()},
            self.predictions[kept],
            self.reviews[kept],
            self.matched[kept],
            self.confidence[kept],
        )


def refresh_counts(ledger: Ledger, offset_minutes: int = OFFSET_MINUTES) -> None:
    """Count what came since the last time; everything anew where predictions were deleted or the zone changed."""
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        total = connection.execute(select(func.count()).select_from(Prediction)).scalar_one()
        state = connection.execute(select(CountState)).one_or_none()
        since = _since(connection, state, total, offset_minutes)
        period = Period(since, None, offset_minutes)
        query = delete(DailyCount)
        if since is not None:
            query = query.where(DailyCount.day >= since.astimezone(period.zone).date())
        connection.execute(query)
        cells = _cells(ledger, period)
        connection.execute(insert(DailyCount).from_select([*_names()], cells))
        newest = connection.execute(select(func.max(Prediction.answered_at))).scalar_one_or_none()
        connection.execute(delete(CountState))
        connection.execute(
            insert(CountState).values(
                id=1,
                offset_minutes=offset_minutes,
                counted_to=newest or datetime.now(UTC),
                predictions=total,
            )
        )


def _since(connection: Connection, state: Any, total: int, offset_minutes: int) -> datetime | None:
    """The local midnight from which days must be counted again; None for all of them."""
    if state is None or state.offset_minutes != offset_minutes:
        return None
    zone = Period(offset_minutes=offset_minutes).zone
    moment = (state.counted_to - _LATE).astimezone(zone)
    since = moment.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    newer = connection.execute(
        select(func.count()).select_from(Prediction).where(Prediction.answered_at >= since)
    ).scalar_one()
    kept = connection.execute(
        select(func.coalesce(func.sum(DailyCount.predictions), 0)).where(
            DailyCount.day < since.astimezone(zone).date()
        )
    ).scalar_one()
    return since if kept + newer == total else None


def _names() -> tuple[str, ...]:
    return ("day", *KINDS, *_TALLIES)


def _cells(ledger: Ledger, period: Period) -> Select[Any]:
    day: Any = period.local_day(ledger.engine, Prediction.answered_at)
    if ledger.engine.dialect.name != "sqlite":
        day = cast(day, Date)
    kinds = [func.coalesce(getattr(Prediction, name), "").label(name) for name in KINDS]
    matched = and_(
        Prediction.catalogue.is_not(None),
        exists().where(ProposedMatch.prediction_id == Prediction.id, ProposedMatch.rank == 1),
    )
    return (
        select(
            day.label("day"),
            *kinds,
            func.count(),
            func.sum(cast(Prediction.review, Integer)),
            func.sum(case((matched, 1), else_=0)),
            func.sum(Prediction.confidence),
        )
        .where(*period.within(Prediction.answered_at))
        .group_by(literal_column("1"), *(literal_column(str(n)) for n in range(2, len(KINDS) + 2)))
    )


def read_counts(ledger: Ledger, period: Period, *, refresh: bool = True) -> Counts:
    """The counts of a period of whole local days; counted on the spot where the ledger cannot be written to."""
    if refresh:
        try:
            refresh_counts(ledger, period.offset_minutes)
        except OperationalError:
            return _count_now(ledger, period)
    columns = [getattr(DailyCount, name) for name in _names()]
    first, last = period.days
    query = select(*columns).order_by(*columns[: len(KINDS) + 1])
    if first:
        query = query.where(DailyCount.day >= first)
    if last:
        query = query.where(DailyCount.day <= last)
    with ledger.engine.connect() as connection:
        return _counts(connection.execute(query).all())


def _count_now(ledger: Ledger, period: Period) -> Counts:
    with ledger.engine.connect() as connection:
        return _counts(sorted(connection.execute(_cells(ledger, period)).all(), key=lambda row: row[:7]))


def _counts(rows: Any) -> Counts:
    columns = {"day": np.asarray([str(row[0]) for row in rows], dtype=str)}
    columns |= {name: np.asarray([row[n] for row in rows], dtype=str) for n, name in enumerate(KINDS, 1)}
    weeks = {day: str(week_of(date.fromisoformat(day))) for day in set(columns["day"].tolist())}
    columns["week"] = np.asarray([weeks[day] for day in columns["day"].tolist()], dtype=str)
    tallies = [np.asarray([row[n] for row in rows]) for n in range(len(KINDS) + 1, len(KINDS) + 5)]
    return Counts(
        columns,
        tallies[0].astype(np.int64),
        tallies[1].astype(np.int64),
        tallies[2].astype(np.int64),
        tallies[3].astype(np.float64),
    )
