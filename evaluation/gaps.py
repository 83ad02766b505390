"""Gaps: needs that found nothing, by domain, tier and district, and resources nobody needs. One query each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select

from evaluation.ledger import Ledger
from evaluation.tables import PredictedNeed, Prediction, ProposedMatch
from matching.records import ACTIVE, Resource


@dataclass(frozen=True, slots=True)
class Gap:
    """How many primary needs of a kind were asked for and how many of them found nothing.

    `tier` and `district` are None where they were not known.
    """

    domain: str
    tier: str | None
    district: str | None
    n_needs: int
    n_unmet: int

    @property
    def share(self) -> float:
        """Share in 0–1 that found nothing; higher is worse."""
        return self.n_unmet / self.n_needs


@dataclass(frozen=True, slots=True)
class IdleResource:
    """A resource on offer that was proposed to nobody since a time, or ever."""

    resource_id: str
    name: str
    organization: str
    districts: tuple[str, ...]


def gaps(ledger: Ledger, since: datetime | None = None) -> list[Gap]:
    """Kinds of primary need with at least one that found no resource, the most unmet first.

    Only answers that looked for resources count.
    """
    first = select(ProposedMatch.prediction_id).where(ProposedMatch.rank == 1).subquery()
    unmet = func.sum(case((first.c.prediction_id.is_(None), 1), else_=0))
    kind = (PredictedNeed.domain, PredictedNeed.tier, Prediction.district)
    primary = and_(PredictedNeed.prediction_id == Prediction.id, PredictedNeed.position == 0)
    query = (
        select(*kind, func.count(), unmet)
        .join(PredictedNeed, primary)
        .outerjoin(first, first.c.prediction_id == Prediction.id)
        .where(Prediction.catalogue.is_not(None))
        .group_by(*kind)
        .having(unmet > 0)
    )
    if since is not None:
        query = query.where(Prediction.answered_at >= since)
    with ledger.engine.connect() as connection:
        found = [Gap(d, t, where, int(n), int(none)) for d, t, where, n, none in connection.execute(query)]
    return sorted(found, key=lambda gap: (-gap.n_unmet, gap.domain, gap.tier or "", gap.district or ""))


def idle_resources(
    ledger: Ledger, resources: Mapping[str, Resource], since: datetime | None = None
) -> list[IdleResource]:
    """The active ones of `resources` that no answer proposed, by id."""
    query = select(ProposedMatch.resource_id).distinct()
    if since is not None:
        query = query.join(Prediction, Prediction.id == ProposedMatch.prediction_id).where(
            Prediction.answered_at >= since
        )
    with ledger.engine.connect() as connection:
        proposed = set(connection.execute(query).scalars())
    return [
        IdleResource(one.id, one.name, one.organization, one.districts)
        for one in sorted(resources.values(), key=lambda one: one.id)
        if one.status == ACTIVE and one.id not in proposed
    ]
