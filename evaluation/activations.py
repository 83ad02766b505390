"""The activation log: which model or catalogue answered from when on, who said so and why. Append only."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select

from evaluation.ledger import Ledger
from evaluation.tables import Activation


def record_activation(
    ledger: Ledger, subject: str, version: str, actor: str, reason: str, *, forced: bool = False
) -> None:
    """Note that `version` answers as `subject` from now on, after what answered before."""
    with ledger.engine.begin() as connection:
        latest = select(Activation.version).where(Activation.subject == subject)
        previous = connection.execute(latest.order_by(Activation.id.desc()).limit(1)).scalar()
        connection.execute(
            insert(Activation).values(
                activated_at=datetime.now(UTC),
                subject=subject,
                version=version,
                previous=previous,
                actor=actor,
                reason=reason,
                forced=forced,
            )
        )


def activations(ledger: Ledger, subject: str | None = None) -> list[Activation]:
    """The log of one subject, or all of it, oldest first."""
    query = select(Activation).order_by(Activation.id)
    if subject is not None:
        query = query.where(Activation.subject == subject)
    with ledger.session() as session:
        return list(session.scalars(query))


def answering(ledger: Ledger, subject: str, at: datetime) -> str | None:
    """The version that answered as `subject` at a moment, or None before the first activation."""
    query = select(Activation.version).where(Activation.subject == subject, Activation.activated_at <= at)
    with ledger.engine.connect() as connection:
        version: str | None = connection.execute(query.order_by(Activation.id.desc()).limit(1)).scalar()
    return version
