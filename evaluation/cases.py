"""Judged cases: predictions beside what people said of them, column by column, from the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import String, and_, cast, not_, select, true

from evaluation.columns import Column
from evaluation.ledger import Ledger
from evaluation.outcomes import ACCEPTED, DECLINED, MET, UNMET
from evaluation.periods import Period, week_of
from evaluation.tables import AuditCase, Label, Outcome, PredictedNeed, Prediction, ProposedMatch

MEASURES = ("domain", "tier", "urgency", "secondary", "match_accepted", "match_met")
RIGHT, WRONG, NOT_APPLICABLE, UNKNOWN = 1, 0, -1, -2
AUDIT_ACTOR = "audit:"
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

    ids: Sequence[str]
    columns: Mapping[str, Column]
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
    drawn = AuditCase.audit.in_(touching)
    predictions = select(*_columns(ledger, period), AuditCase.audit, AuditCase.stratum, AuditCase.probability)
    predictions = predictions.join(AuditCase, AuditCase.prediction_id == Prediction.id).where(drawn)
    labels = _labels().join(AuditCase, AuditCase.prediction_id == Label.prediction_id)
    firsts = select(ProposedMatch.prediction_id).where(ProposedMatch.rank == 1)
    outcomes = _outcomes().where(Outcome.actor.like(f"{AUDIT_ACTOR}%"))
    others = _others().join(AuditCase, AuditCase.prediction_id == PredictedNeed.prediction_id)
    with ledger.engine.connect() as connection:
        rows = connection.execute(predictions.order_by(Prediction.id)).all()
        sayings = _Sayings(
            connection.execute(labels.where(drawn, Label.origin == "audit")).all(),
            connection.execute(others.where(drawn)).all(),
            connection.execute(
                outcomes.join(AuditCase, AuditCase.prediction_id == ProposedMatch.prediction_id).where(drawn)
            ).all(),
        )
        proposed = set(
            connection.execute(
                firsts.join(AuditCase, AuditCase.prediction_id == ProposedMatch.prediction_id).where(drawn)
            ).scalars()
        )
    return _with_strata(_assemble(rows, sayings, proposed), rows)


def read_told(ledger: Ledger, period: Period) -> Cases:
    """The cases of the period that feedback, reviews or the desks' outcomes speak of: no fair sample."""
    columns, within = _columns(ledger, period), period.within(Prediction.answered_at)
    own = Label.origin.in_(("feedback", "review"))
    labelled = select(*columns, *_LABEL).join(Label, Label.prediction_id == Prediction.id).where(own, *within)
    others = _others().where(
        PredictedNeed.prediction_id.in_(select(Label.prediction_id).where(own)),
    )
    followed = (
        select(*columns, Outcome.kind)
        .join(ProposedMatch, ProposedMatch.prediction_id == Prediction.id)
        .join(Outcome, Outcome.match_id == ProposedMatch.id)
        .where(ProposedMatch.rank == 1, not_(Outcome.actor.like(f"{AUDIT_ACTOR}%")), *within)
        .order_by(Outcome.told_at, Outcome.id)
    )
    with ledger.engine.connect() as connection:
        identified = connection.execute(labelled.order_by(Label.labelled_at, Label.id)).all()
        matched = connection.execute(followed).all()
        width = len(columns)
        sayings = _Sayings(
            [(row[0], *row[width:]) for row in identified],
            connection.execute(others).all(),
            [(row[0], row[width]) for row in matched],
        )
    rows = {row[0]: row[:width] for row in (*identified, *matched)}
    return _assemble(list(rows.values()), sayings, {row[0] for row in matched})


@dataclass(frozen=True, slots=True)
class _Sayings:
    """Rows that tell of predictions, oldest first: (id, labels), (id, domain of a further need), (id, outcome)."""

    labels: Sequence[Any]
    others: Sequence[Any]
    outcomes: Sequence[Any]


_LABEL = (Label.domain, Label.tier, Label.urgency, cast(Label.secondary, String))


def _columns(ledger: Ledger, period: Period) -> tuple[Any, ...]:
    return (
        Prediction.id,
        *(getattr(Prediction, name) for name in _PREDICTED),
        period.local_day(ledger.engine, Prediction.answered_at),
        and_(true(), *period.within(Prediction.answered_at)),
    )


def _labels() -> Any:
    return select(Label.prediction_id, *_LABEL).order_by(Label.labelled_at, Label.id)


def _others() -> Any:
    return select(PredictedNeed.prediction_id, PredictedNeed.domain).where(PredictedNeed.position > 0)


def _outcomes() -> Any:
    return (
        select(ProposedMatch.prediction_id, Outcome.kind)
        .join(Outcome, Outcome.match_id == ProposedMatch.id)
        .where(ProposedMatch.rank == 1)
        .order_by(Outcome.told_at, Outcome.id)
    )


def _assemble(rows: Sequence[Any], sayings: _Sayings, proposed: AbstractSet[str]) -> Cases:
    turned = list(zip(*rows, strict=True)) or [()] * (len(_PREDICTED) + 3)
    ids = list(turned[0])
    columns = {name: Column.of(turned[n]) for n, name in enumerate(_PREDICTED, start=1)}
    days = turned[len(_PREDICTED) + 1]
    mondays = {day: str(week_of(date.fromisoformat(day))) for day in set(days)}
    columns["week"] = Column.of([mondays[day] for day in days])
    newest = {row[0]: row for row in sayings.labels}
    labels = [newest.get(key) for key in ids]
    columns["true_domain"] = Column.of([label[1] if label else "" for label in labels])
    others: dict[str, set[str]] = {}
    for key, domain in sayings.others:
        others.setdefault(key, set()).add(domain)
    verdicts = _identified(ids, columns, labels, others)
    verdicts |= _matched(ids, _fates(sayings.outcomes), proposed)
    inside = np.asarray(turned[len(_PREDICTED) + 2], bool)
    alone = np.zeros(len(ids), np.int64)
    return Cases(ids, columns, verdicts, inside, alone, np.asarray([float(len(ids))]))


def _with_strata(cases: Cases, rows: Sequence[Any]) -> Cases:
    """The cases with the strata they were drawn from, in the order of their rows' (…, audit, stratum, probability)."""
    drawn = Column.of([f"{row[-3]}\n{row[-2]}" for row in rows])
    counts = np.bincount(drawn.codes, minlength=len(drawn.values))
    chances = np.ones(len(drawn.values))
    chances[drawn.codes] = [row[-1] for row in rows]
    columns = dict(cases.columns) | {"audit": Column.of([row[-3] for row in rows])}
    return Cases(cases.ids, columns, cases.verdicts, cases.inside, drawn.codes, counts / chances)


def _identified(
    ids: Sequence[str],
    columns: Mapping[str, Column],
    labels: Sequence[Any],
    others: Mapping[str, AbstractSet[str]],
) -> dict[str, Verdicts]:
    given = np.asarray([label is not None for label in labels], bool)
    verdicts = {"domain": _verdicts(given, given, columns["domain"].same(columns["true_domain"]))}
    for n, name in enumerate(("tier", "urgency"), start=2):
        truth = Column.of([label[n] if label else "" for label in labels])
        verdicts[name] = _verdicts(given, ~truth.equals(""), columns[name].same(truth))
    same = [
        label is not None
        and others.get(key, frozenset()) == (set() if label[4] == "[]" else set(json.loads(label[4])))
        for key, label in zip(ids, labels, strict=True)
    ]
    verdicts["secondary"] = _verdicts(given, given, np.asarray(same, bool))
    return verdicts


def _fates(outcomes: Sequence[Any]) -> dict[str, str]:
    """What became of each first proposal in the end; a need once met or unmet was accepted before."""
    fates: dict[str, str] = {}
    for key, kind in outcomes:
        if kind != ACCEPTED or fates.get(key) not in (MET, UNMET):
            fates[key] = kind
    return fates


def _matched(ids: Sequence[str], fates: Mapping[str, str], proposed: AbstractSet[str]) -> dict[str, Verdicts]:
    """A first proposal is right when it was accepted, whatever became of it, and good when it met the need."""
    kinds = Column.of([fates.get(key) for key in ids])
    offered = np.asarray([key in proposed for key in ids], bool)
    met, unmet, declined = kinds.equals(MET), kinds.equals(UNMET), kinds.equals(DECLINED)
    accepted = met | unmet | kinds.equals(ACCEPTED)
    return {
        "match_accepted": _verdicts(~offered | accepted | declined, offered, accepted),
        "match_met": _verdicts(~offered | met | unmet | declined, offered & ~declined, met),
    }


def _verdicts(known: NDArray[np.bool_], applies: NDArray[np.bool_], right: NDArray[np.bool_]) -> Verdicts:
    verdicts: Verdicts = np.where(
        known, np.where(applies, np.where(right, RIGHT, WRONG), NOT_APPLICABLE), UNKNOWN
    ).astype(np.int8)
    return verdicts
