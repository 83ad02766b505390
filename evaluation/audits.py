"""Audits: cases drawn from the ledger at known chances, for people to judge."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import func, insert, select

from evaluation.book_tables import Audit
from evaluation.ledger import Ledger
from evaluation.periods import Period
from evaluation.sampling import allocate, draw, planned_half_width, stratify
from evaluation.tables import AuditCase, Prediction

BORDERS = (0.7, 0.9)
MINIMUM = 10


class AuditError(ValueError):
    """An audit that cannot be drawn or settled, with the remedy."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum of an audit: how many predictions it holds and how many were drawn."""

    name: str
    population: int
    drawn: int


@dataclass(frozen=True, slots=True)
class DrawnAudit:
    """An audit as it was drawn; `half_width` is what it is expected to reach for domain accuracy."""

    id: str
    strata: tuple[Stratum, ...]
    prediction_ids: tuple[str, ...]
    half_width: float


def draw_audit(
    ledger: Ledger,
    period: Period,
    *,
    half_width: float,
    actor: str,
    minimum: int = MINIMUM,
    borders: Sequence[float] = BORDERS,
    seed: int | None = None,
    name: str | None = None,
) -> DrawnAudit:
    """Draw a period's audit and write it to the ledger; strata are domains in bands of confidence.

    The calibrated confidence stands for the accuracy expected of a stratum; where it says too much, the interval
    comes out wider than planned but no less true. Raises AuditError when the period is open, holds no prediction or
    overlaps an earlier audit, for a prediction is drawn from once.
    """
    if period.start is None or period.end is None:
        raise AuditError("an audit needs a period with both ends; give its first and last day")
    refuse_overlap(ledger, period)
    query = select(Prediction.id, Prediction.domain, Prediction.confidence).where(
        *period.within(Prediction.answered_at)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(query.order_by(Prediction.id)).all()
    if not rows:
        raise AuditError(f"the ledger answered nothing {_told(period)}; choose a period with predictions")
    confidences = np.asarray([row[2] for row in rows], float)
    codes, names = stratify([row[1] for row in rows], confidences, borders)
    sizes = np.bincount(codes, minlength=len(names))
    expected = np.bincount(codes, confidences, len(names)) / sizes
    cases = allocate(sizes, expected, half_width, minimum)
    seed = secrets.randbelow(2**31) if seed is None else seed
    chosen = draw(codes, cases, seed)
    now = datetime.now(UTC)
    audit = name or f"audit-{period.start.astimezone(period.zone):%Y%m%d}"
    values = [
        {
            "audit": audit,
            "prediction_id": rows[row][0],
            "drawn_at": now,
            "stratum": names[codes[row]],
            "probability": float(cases[codes[row]] / sizes[codes[row]]),
        }
        for row in chosen.tolist()
    ]
    with ledger.engine.begin() as connection:
        connection.execute(
            insert(Audit).values(
                id=audit,
                starts_at=period.start,
                ends_at=period.end,
                drawn_at=now,
                actor=actor,
                half_width=half_width,
                seed=seed,
                population=len(rows),
                drawn=len(values),
            )
        )
        connection.execute(insert(AuditCase), values)
    strata = [Stratum(*one) for one in zip(names, sizes.tolist(), cases.tolist(), strict=True)]
    ids = tuple(str(value["prediction_id"]) for value in values)
    return DrawnAudit(audit, tuple(strata), ids, planned_half_width(sizes, expected, cases))


def refuse_overlap(ledger: Ledger, period: Period) -> None:
    """Raise AuditError where an earlier audit drew from part of the period."""
    with ledger.engine.connect() as connection:
        earlier = connection.execute(
            select(Audit.id, Audit.starts_at, Audit.ends_at)
            .where(Audit.starts_at < period.end, Audit.ends_at > period.start)
            .limit(1)
        ).one_or_none()
    if earlier is not None:
        taken = _told(Period(earlier.starts_at, earlier.ends_at, period.offset_minutes))
        raise AuditError(f"audit {earlier.id!r} drew {taken} already; choose a period beside it")


def next_start(ledger: Ledger) -> datetime | None:
    """Where the last audit's period ended, or the first prediction's moment; None in an empty ledger."""
    with ledger.engine.connect() as connection:
        ended = connection.execute(select(func.max(Audit.ends_at))).scalar_one_or_none()
        return ended or connection.execute(select(func.min(Prediction.answered_at))).scalar_one_or_none()


def _told(period: Period) -> str:
    first, last = period.days
    return f"from {first} to {last}"
