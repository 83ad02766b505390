"""How soon cases were answered, and how many in time: first word of a desk against the deadline of the case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import func, not_, or_, select, union_all

from evaluation.cases import AUDIT_ACTOR
from evaluation.ledger import Ledger
from evaluation.metrics import Estimate, wilson
from evaluation.periods import Period, seconds_between
from evaluation.tables import Label, Outcome, Prediction, ProposedMatch


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """Of the cases of one tier and urgency ('' for none): how they were answered.

    `due` cases were answered or are past their deadline; `in_time` is the share of them answered by it, with Wilson's
    interval. `median` and `slow` are the 50th and 90th percentile of the seconds from receipt to the first answer
    among the answered, None where nobody was. `pending` cases are neither answered nor due.
    """

    tier: str
    urgency: str
    due: int
    answered: int
    pending: int
    in_time: Estimate
    median: float | None
    slow: float | None


def response_times(ledger: Ledger, period: Period, as_of: datetime) -> list[ResponseTimes]:
    """Response times of the period's cases that have a deadline, by tier and urgency.

    The first answer is the first outcome of a match, or the first label as feedback or review; audits answer nobody.
    """
    told = select(ProposedMatch.prediction_id.label("id"), func.min(Outcome.told_at).label("at")).join(
        Outcome, Outcome.match_id == ProposedMatch.id
    )
    told = told.where(not_(Outcome.actor.like(f"{AUDIT_ACTOR}%"))).group_by(ProposedMatch.prediction_id)
    labelled = select(Label.prediction_id.label("id"), func.min(Label.labelled_at).label("at")).where(
        Label.origin.in_(("feedback", "review")), Label.prediction_id.is_not(None)
    )
    both = union_all(told, labelled.group_by(Label.prediction_id)).subquery()
    first = select(both.c.id, func.min(both.c.at).label("at")).group_by(both.c.id).subquery()
    received = func.coalesce(Prediction.received_at, Prediction.answered_at)
    seconds = seconds_between(ledger.engine, received, first.c.at)
    allowed = seconds_between(ledger.engine, first.c.at, Prediction.due_at)
    query = (
        select(Prediction.tier, Prediction.urgency, seconds, allowed)
        .outerjoin(first, first.c.id == Prediction.id)
        .where(
            Prediction.due_at.is_not(None),
            or_(first.c.at.is_not(None), Prediction.due_at < as_of),
            *period.within(Prediction.answered_at),
        )
    )
    waiting = (
        select(Prediction.tier, Prediction.urgency, func.count())
        .outerjoin(first, first.c.id == Prediction.id)
        .where(Prediction.due_at >= as_of, first.c.at.is_(None), *period.within(Prediction.answered_at))
        .group_by(Prediction.tier, Prediction.urgency)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
        pending = {(row[0] or "", row[1] or ""): row[2] for row in connection.execute(waiting)}
    return _summaries(rows, pending)


def _summaries(rows: Any, pending: dict[tuple[str, str], int]) -> list[ResponseTimes]:
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {kind: [] for kind in pending}
    for tier, urgency, seconds, left in rows:
        pair = (np.nan if seconds is None else seconds, -1.0 if left is None else left)
        groups.setdefault((tier or "", urgency or ""), []).append(pair)
    summaries = []
    for (tier, urgency), pairs in sorted(groups.items()):
        times = np.asarray(pairs, float).reshape(-1, 2)
        taken = times[~np.isnan(times[:, 0]), 0]
        kept = int((~np.isnan(times[:, 0]) & (times[:, 1] >= 0)).sum())
        middle, slow = np.percentile(taken, [50, 90]).tolist() if len(taken) else (None, None)
        waiting = pending.get((tier, urgency), 0)
        summary = (len(times), len(taken), waiting, wilson(kept, len(times)), middle, slow)
        summaries.append(ResponseTimes(tier, urgency, *summary))
    return summaries
