"""Judged cases: predictions beside what people said of them, column by column, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, Subquery, and_, not_, select, true, union

from evaluation.ledger import Ledger
from evaluation.outcomes import ACCEPTED, DECLINED, MET, UNMET
from evaluation.periods import Period, week_of
from evaluation.tables import AuditCase, Label, Outcome, PredictedNeed, Prediction, ProposedMatch

MEASURES = ("domain", "tier", "urgency", "secondary", "match_accepted", "match_met")
RIGHT, WRONG, NOT_APPLICABLE, UNKNOWN = 1, 0, -1, -2
AUDIT_ACTOR = "audit:"
_CONTRARY = {
    ACCEPTED: {DECLINED},
    DECLINED: {ACCEPTED, MET, UNMET},
    MET: {UNMET, DECLINED},
    UNMET: {MET, DECLINED},
}
_TOLD = ("feedback", "review")
_PREDICTED = ("domain", "tier", "urgency", "source", "district", "model", "taxonomy", "catalogue")
Verdicts = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Cases:
    """Predictions people judged, all arrays `(n_cases,)` but `sizes`.

    `columns` maps what was predicted, `true_domain`, `week` (its Monday) and `audit` to text, '' where there is none;
    `verdicts` maps a measure to `RIGHT`, `WRONG`, `NOT_APPLICABLE` or `UNKNOWN`. `inside` tells which cases lie in
    the period asked for: a stratum is read whole, for its cases outside still count as drawn. `strata` numbers the
    strata, `sizes` `(n_strata,)` says how many predictions each was drawn from; cases nobody drew share one.
    """

    ids: NDArray[np.str_]
    columns: Mapping[str, NDArray[np.str_]]
    verdicts: Mapping[str, Verdicts]
    inside: NDArray[np.bool_]
    strata: NDArray[np.int64]
    sizes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def judged(self, measure: str) -> NDArray[np.bool_]:
        """Which cases inside the period the measure has a verdict on."""
        found: NDArray[np.bool_] = self.inside & (self.verdicts[measure] >= WRONG)
        return found


def read_audited(ledger: Ledger, period: Period) -> Cases:
    """The cases of every audit that drew from the period, judged by the audits' settled labels and outcomes."""
    touching = (
        select(AuditCase.audit)
        .join(Prediction, Prediction.id == AuditCase.prediction_id)
        .where(*period.within(Prediction.answered_at))
        .distinct()
    )
    drawn = select(AuditCase.prediction_id.label("id")).where(AuditCase.audit.in_(touching))
    with ledger.engine.connect() as connection:
        cases = _read(connection, ledger.engine, period, drawn, ("audit",), audited=True)
        rows = connection.execute(
            select(AuditCase.prediction_id, AuditCase.audit, AuditCase.stratum, AuditCase.probability).where(
                AuditCase.audit.in_(touching)
            )
        ).all()
    by_id = {row[0]: row for row in rows}
    audits = [by_id[key][1] for key in cases.ids.tolist()]
    names = [f"{by_id[key][1]}\n{by_id[key][2]}" for key in cases.ids.tolist()]
    labels, strata, counts = np.unique(np.asarray(names, str), return_inverse=True, return_counts=True)
    chances = np.zeros(len(labels))
    chances[strata] = [by_id[key][3] for key in cases.ids.tolist()]
    columns = dict(cases.columns) | {"audit": np.asarray(audits, str)}
    return Cases(cases.ids, columns, cases.verdicts, cases.inside, strata.astype(np.int64), counts / chances)


def read_told(ledger: Ledger, period: Period) -> Cases:
    """The cases of the period that feedback, reviews or the desks' outcomes speak of: no fair sample."""
    labelled = (
        select(Prediction.id)
        .join(Label, Label.prediction_id == Prediction.id)
        .where(Label.origin.in_(_TOLD), *period.within(Prediction.answered_at))
    )
    followed = (
        select(Prediction.id)
        .join(ProposedMatch, ProposedMatch.prediction_id == Prediction.id)
        .join(Outcome, Outcome.match_id == ProposedMatch.id)
        .where(
            ProposedMatch.rank == 1,
            Outcome.actor.not_like(f"{AUDIT_ACTOR}%"),
            *period.within(Prediction.answered_at),
        )
    )
    told = union(labelled, followed).subquery()
    with ledger.engine.connect() as connection:
        return _read(connection, ledger.engine, period, select(told.c.id), _TOLD, audited=False)


def _read(
    connection: Connection,
    engine: Engine,
    period: Period,
    wanted: Select[Any],
    origins: Sequence[str],
    *,
    audited: bool,
) -> Cases:
    chosen = wanted.subquery()
    query = select(
        Prediction.id,
        *(getattr(Prediction, name) for name in _PREDICTED),
        period.local_day(engine, Prediction.answered_at),
        and_(true(), *period.within(Prediction.answered_at)),
    ).where(Prediction.id.in_(select(chosen.c.id)))
    rows = connection.execute(query.order_by(Prediction.id)).all()
    place = {row[0]: number for number, row in enumerate(rows)}
    columns = {name: _texts(row[n] for row in rows) for n, name in enumerate(_PREDICTED, start=1)}
    columns["week"] = _weeks([row[-2] for row in rows])
    labels = _newest_labels(connection, chosen, origins, place)
    columns["true_domain"] = _texts(label.domain if label else "" for label in labels)
    verdicts = _identified(columns, labels, _other_needs(connection, chosen, place))
    verdicts |= _matched(_fates(connection, chosen, place, audited=audited))
    return Cases(
        _texts(row[0] for row in rows),
        columns,
        verdicts,
        np.asarray([bool(row[-1]) for row in rows], bool),
        np.zeros(len(rows), np.int64),
        np.asarray([float(len(rows))]),
    )


def _texts(values: Iterable[str | None]) -> NDArray[np.str_]:
    return np.asarray([value or "" for value in values], dtype=str)


def _weeks(days: Sequence[str]) -> NDArray[np.str_]:
    mondays = {day: str(week_of(date.fromisoformat(day))) for day in set(days)}
    return _texts(mondays[day] for day in days)


def _newest_labels(
    connection: Connection, chosen: Subquery, origins: Sequence[str], place: Mapping[str, int]
) -> list[Any]:
    """The newest label of each case, None where there is none."""
    query = (
        select(Label.prediction_id, Label.domain, Label.tier, Label.urgency, Label.secondary)
        .where(Label.origin.in_(origins), Label.prediction_id.in_(select(chosen.c.id)))
        .order_by(Label.labelled_at, Label.id)
    )
    newest: list[Any] = [None] * len(place)
    for row in connection.execute(query):
        newest[place[row.prediction_id]] = row
    return newest


def _other_needs(
    connection: Connection, chosen: Subquery, place: Mapping[str, int]
) -> dict[int, frozenset[str]]:
    """The domains of the needs beside the primary one, of the cases that have any."""
    query = select(PredictedNeed.prediction_id, PredictedNeed.domain).where(
        PredictedNeed.position > 0, PredictedNeed.prediction_id.in_(select(chosen.c.id))
    )
    found: dict[int, set[str]] = {}
    for key, domain in connection.execute(query):
        found.setdefault(place[key], set()).add(domain)
    return {case: frozenset(domains) for case, domains in found.items()}


def _identified(
    columns: Mapping[str, NDArray[np.str_]], labels: Sequence[Any], others: Mapping[int, frozenset[str]]
) -> dict[str, Verdicts]:
    given = np.asarray([label is not None for label in labels], bool)
    verdicts = {"domain": _verdicts(given, given, columns["domain"] == columns["true_domain"])}
    for name in ("tier", "urgency"):
        truth = _texts(getattr(label, name) if label else "" for label in labels)
        verdicts[name] = _verdicts(given, truth != "", columns[name] == truth)
    same = [
        label is not None and others.get(case, frozenset()) == frozenset(label.secondary)
        for case, label in enumerate(labels)
    ]
    verdicts["secondary"] = _verdicts(given, given, np.asarray(same, bool))
    return verdicts


def _fates(
    connection: Connection, chosen: Subquery, place: Mapping[str, int], *, audited: bool
) -> list[set[str] | None]:
    """What was told of each case's first proposal, by the audit or by the desks; None where nothing was proposed."""
    proposed = select(ProposedMatch.id, ProposedMatch.prediction_id).where(
        ProposedMatch.rank == 1, ProposedMatch.prediction_id.in_(select(chosen.c.id))
    )
    fates: list[set[str] | None] = [None] * len(place)
    for _, case in connection.execute(proposed):
        fates[place[case]] = set()
    by_audit = Outcome.actor.like(f"{AUDIT_ACTOR}%")
    firsts = proposed.subquery()
    told = (
        select(firsts.c.prediction_id, Outcome.kind)
        .join(Outcome, Outcome.match_id == firsts.c.id)
        .where(by_audit if audited else not_(by_audit))
        .order_by(Outcome.told_at, Outcome.id)
    )
    for case, kind in connection.execute(told):
        fate = fates[place[case]]
        assert fate is not None
        fate.difference_update(_CONTRARY[kind])
        fate.add(kind)
    return fates


def _matched(fates: Sequence[set[str] | None]) -> dict[str, Verdicts]:
    """A first proposal is right when it was accepted (whatever became of it), and good when it met the need."""

    def has(*kinds: str) -> NDArray[np.bool_]:
        return np.asarray([fate is not None and not fate.isdisjoint(kinds) for fate in fates], bool)

    proposed = np.asarray([fate is not None for fate in fates], bool)
    accepted, met, declined = has(ACCEPTED, MET, UNMET), has(MET), has(DECLINED)
    return {
        "match_accepted": _verdicts(~proposed | accepted | declined, proposed, accepted),
        "match_met": _verdicts(~proposed | met | has(UNMET) | declined, proposed & ~declined, met),
    }


def _verdicts(known: NDArray[np.bool_], applies: NDArray[np.bool_], right: NDArray[np.bool_]) -> Verdicts:
    verdicts: Verdicts = np.where(
        known, np.where(applies, np.where(right, RIGHT, WRONG), NOT_APPLICABLE), UNKNOWN
    ).astype(np.int8)
    return verdicts
