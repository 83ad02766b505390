"""Settling an audit: two people's judgements compared, their differences settled, the truth written to the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from evaluation.audit_sheets import Judgement
from evaluation.book_tables import Audit
from evaluation.cases import AUDIT_ACTOR
from evaluation.labels import GivenLabel, record_labels
from evaluation.ledger import Ledger
from evaluation.metrics import Estimate, cohen_kappa
from evaluation.outcomes import GivenOutcome, record_outcomes
from evaluation.tables import AuditCase, Label, ProposedMatch

ANNOTATION = "annotation"
AGREED = "agreed"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two people agree on one question over `n` cases: the plain share, and Cohen's kappa beyond chance."""

    question: str
    n: int
    share: float
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two people's judgements of the same cases: what they agree on, and the cases to settle."""

    agreements: tuple[Agreement, ...]
    agreed: tuple[Judgement, ...]
    differing: tuple[tuple[Judgement, Judgement], ...]
    single: tuple[str, ...]


def compare(first: Sequence[Judgement], second: Sequence[Judgement]) -> Comparison:
    """Compare two people's judgements; `single` names cases only one of them judged."""
    one, two = ({given.prediction_id: given for given in side} for side in (first, second))
    both = [(one[key], two[key]) for key in one if key in two]
    agreements = [
        found
        for question in ("domain", "secondary", "tier", "urgency", "fate")
        if (found := _agreement(question, both))
    ]
    return Comparison(
        tuple(agreements),
        tuple(a for a, b in both if a == b),
        tuple((a, b) for a, b in both if a != b),
        tuple(sorted(one.keys() ^ two.keys())),
    )


def _agreement(question: str, both: Sequence[tuple[Judgement, Judgement]]) -> Agreement | None:
    pairs = [(_said(a, question), _said(b, question)) for a, b in both]
    pairs = [(a, b) for a, b in pairs if a and b]
    if not pairs:
        return None
    first, second = zip(*pairs, strict=True)
    share = sum(a == b for a, b in pairs) / len(pairs)
    return Agreement(question, len(pairs), share, cohen_kappa(first, second))


def _said(judgement: Judgement, question: str) -> str:
    value = getattr(judgement, question)
    return ",".join(value) or "-" if isinstance(value, tuple) else value or ""


def audited_ids(ledger: Ledger, audit: str) -> list[str]:
    """The predictions an audit drew. Raises LookupError for an unknown audit."""
    query = select(AuditCase.prediction_id).where(AuditCase.audit == audit)
    with ledger.engine.connect() as connection:
        found = list(connection.execute(query.order_by(AuditCase.prediction_id)).scalars())
    if not found:
        raise LookupError(f"the ledger holds no audit {audit!r}; `zhixu audit list` names those it holds")
    return found


def record_annotations(ledger: Ledger, given: Iterable[Judgement], annotator: str) -> None:
    """Keep one person's own judgements; they count for agreement, never as truth or for training."""
    record_labels(ledger, [_label(one, annotator, ANNOTATION) for one in given])


def record_settled(ledger: Ledger, settled: Sequence[Judgement], annotator: str) -> int:
    """Write settled judgements as labels with origin `audit`, and their fates as outcomes; returns how many."""
    record_labels(ledger, [_label(one, annotator, "audit") for one in settled])
    matches = _first_matches(ledger, [one.prediction_id for one in settled if one.fate])
    outcomes = [
        GivenOutcome(matches[one.prediction_id], one.fate, f"{AUDIT_ACTOR}{annotator}")
        for one in settled
        if one.fate and one.prediction_id in matches
    ]
    record_outcomes(ledger, outcomes)
    return len(settled)


def _label(one: Judgement, annotator: str, origin: str) -> GivenLabel:
    return GivenLabel(
        "", one.domain, annotator, origin, one.secondary, one.tier, one.urgency, one.prediction_id
    )


def _first_matches(ledger: Ledger, predictions: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    with ledger.engine.connect() as connection:
        for start in range(0, len(predictions), 1000):
            query = select(ProposedMatch.prediction_id, ProposedMatch.id).where(
                ProposedMatch.rank == 1, ProposedMatch.prediction_id.in_(predictions[start : start + 1000])
            )
            found |= {row[0]: row[1] for row in connection.execute(query)}
    return found


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """An audit with how far it has come: `settled` of its `drawn` cases have a settled label."""

    audit: Audit
    settled: int


def audit_statuses(ledger: Ledger) -> list[AuditStatus]:
    """All audits, newest first."""
    settled = (
        select(AuditCase.audit, func.count(func.distinct(AuditCase.prediction_id)))
        .join(Label, Label.prediction_id == AuditCase.prediction_id)
        .where(Label.origin == "audit")
        .group_by(AuditCase.audit)
    )
    with ledger.session() as session:
        counts = {row[0]: row[1] for row in session.execute(settled)}
        audits = session.scalars(select(Audit).order_by(Audit.starts_at.desc())).all()
    return [AuditStatus(audit, counts.get(audit.id, 0)) for audit in audits]


def agreements(ledger: Ledger, audit: str) -> tuple[Agreement, ...]:
    """Agreement on an audit, recomputed from the first two annotators' judgements kept in the ledger."""
    query = (
        select(Label)
        .join(AuditCase, AuditCase.prediction_id == Label.prediction_id)
        .where(AuditCase.audit == audit, Label.origin == ANNOTATION)
        .order_by(Label.labelled_at, Label.id)
    )
    sides: dict[str, dict[str, Judgement]] = {}
    with ledger.session() as session:
        for label in session.scalars(query):
            said = (label.domain, tuple(label.secondary), label.tier, label.urgency)
            side = sides.setdefault(label.annotator, {})
            side[str(label.prediction_id)] = Judgement(str(label.prediction_id), *said)
    if len(sides) < 2:
        return ()
    first, second = list(sides.values())[:2]
    return compare(list(first.values()), list(second.values())).agreements
