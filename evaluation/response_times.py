"""How soon cases were answered, and how many in time: first word of a desk against the deadline of the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import case, func, not_, select, union_all

from evaluation.cases import AUDIT_ACTOR
from evaluation.columns import Column
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
    held = (Prediction.due_at.is_not(None), *period.within(Prediction.answered_at))
    late = Prediction.due_at < as_of
    answered = (
        select(
            Prediction.tier,
            Prediction.urgency,
            seconds_between(ledger.engine, received, first.c.at),
            first.c.at <= Prediction.due_at,
            late,
        )
        .join(first, first.c.id == Prediction.id)
        .where(*held)
    )
    everyone = (
        select(Prediction.tier, Prediction.urgency, func.count(), func.sum(case((late, 1), else_=0)))
        .where(*held)
        .group_by(Prediction.tier, Prediction.urgency)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execute(answered).all()
        totals = connection.execute(everyone).all()
    return _summaries(rows, totals)


def _summaries(rows: Sequence[Any], totals: Sequence[Any]) -> list[ResponseTimes]:
    kinds = Column.of(f"{row[0] or ''}\n{row[1] or ''}" for row in rows)
    taken = np.asarray([row[2] for row in rows], float)
    kept = np.asarray([bool(row[3]) for row in rows], bool)
    late = np.asarray([bool(row[4]) for row in rows], bool)
    summaries = []
    for tier, urgency, n_cases, n_late in sorted(totals, key=lambda row: (row[0] or "", row[1] or "")):
        mine = kinds.equals(f"{tier or ''}\n{urgency or ''}")
        answered = int(mine.sum())
        silent = int(n_late) - int((mine & late).sum())
        due = answered + silent
        middle, slow = np.percentile(taken[mine], [50, 90]).tolist() if answered else (None, None)
        in_time = wilson(int((mine & kept).sum()), due)
        pending = int(n_cases) - due
        summaries.append(
            ResponseTimes(tier or "", urgency or "", due, answered, pending, in_time, middle, slow)
        )
    return summaries
