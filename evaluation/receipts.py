"""Receipts: a request that is sent again gets the first answer and counts once.

The ledger itself decides who was first, by a unique key, so it holds between threads, processes and machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DataError, IntegrityError

from evaluation.ledger import Entries, Ledger
from evaluation.once import insert_new, rows_by_key
from evaluation.service_tables import Receipt
from evaluation.tables import PredictedNeed, Prediction, ProposedMatch
from matching.records import Match, Matching
from models.records import Evidence, Identification, Need
from nlp.records import PreparedMessage

_PAGE = 500


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """What is to be remembered of a request: its key, a fingerprint of its content, the prediction that answers it."""

    key: str
    fingerprint: str
    prediction_id: str
    response: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """The entries of one request and its receipts; it is written whole or not at all."""

    entries: Entries
    receipts: tuple[NewReceipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a submission: which of its predictions had been answered before, and by which.

    `reused` are keys that stand for another content; then nothing of the submission was written.
    """

    earlier: dict[str, str] = field(default_factory=dict)
    reused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer as it was given."""

    identification: Identification
    matching: Matching | None
    match_ids: tuple[str, ...]


class _ConflictError(Exception):
    """Some submission of a group used a key for another content."""


def record_once(ledger: Ledger, submissions: Sequence[Submission]) -> list[Settled]:
    """Write submissions in one transaction, durable when it returns; what was answered before is not written again.

    Where one submission of the group cannot be written, the others still are, each in a transaction of its own.
    """
    try:
        with ledger.engine.begin() as connection:
            return _record(connection, submissions)
    except (_ConflictError, DataError, IntegrityError):
        if len(submissions) > 1:
            return [settled for one in submissions for settled in record_once(ledger, [one])]
        reused = _reused(ledger, submissions[0])
        if not reused:
            raise
        return [Settled(reused=reused)]


def _record(connection: Connection, submissions: Sequence[Submission]) -> list[Settled]:
    together = Entries()
    for submission in submissions:
        together.extend(submission.entries)
    together.insert(connection)
    receipts = [receipt for submission in submissions for receipt in submission.receipts]
    if not receipts:
        return [Settled()] * len(submissions)
    held = _claim(connection, receipts)
    earlier = {
        receipt.prediction_id: held[receipt.key]["prediction_id"]
        for receipt in receipts
        if held[receipt.key]["prediction_id"] != receipt.prediction_id
    }
    if any(held[receipt.key]["fingerprint"] != receipt.fingerprint for receipt in receipts):
        raise _ConflictError
    for page in _pages(sorted(earlier)):
        connection.execute(delete(Prediction).where(Prediction.id.in_(page)))
    return [
        Settled({receipt.prediction_id: earlier[receipt.prediction_id]
                 for receipt in submission.receipts if receipt.prediction_id in earlier})
        for submission in submissions
    ]  # fmt: skip


def _claim(connection: Connection, receipts: Sequence[NewReceipt]) -> dict[str, Any]:
    """The receipts that hold the keys now: ours where a key was free, else the earlier ones."""
    rows = {receipt.key: asdict(receipt) for receipt in reversed(receipts)}
    insert_new(connection, Receipt, "key", list(rows.values()))
    return dict(rows_by_key(connection, Receipt, "key", list(rows)))


def _reused(ledger: Ledger, submission: Submission) -> tuple[str, ...]:
    wanted: dict[str, str] = {}
    reused = [
        receipt.key
        for receipt in submission.receipts
        if wanted.setdefault(receipt.key, receipt.fingerprint) != receipt.fingerprint
    ]
    with ledger.engine.connect() as connection:
        held = rows_by_key(connection, Receipt, "key", list(wanted))
    return (*reused, *(key for key, row in held.items() if row["fingerprint"] != wanted[key]))


def recall(
    ledger: Ledger, prediction_ids: Iterable[str]
) -> dict[str, tuple[Recalled, dict[str, Any] | None]]:
    """Answers as they were given, with the response then prescribed, by prediction id."""
    found: dict[str, tuple[Recalled, dict[str, Any] | None]] = {}
    with ledger.session() as session:
        for page in _pages(sorted(set(prediction_ids))):
            needs: dict[str, list[PredictedNeed]] = {}
            for need in session.scalars(
                select(PredictedNeed)
                .where(PredictedNeed.prediction_id.in_(page))
                .order_by(PredictedNeed.position)
            ):
                needs.setdefault(need.prediction_id, []).append(need)
            matches: dict[str, list[ProposedMatch]] = {}
            for match in session.scalars(
                select(ProposedMatch)
                .where(ProposedMatch.prediction_id.in_(page))
                .order_by(ProposedMatch.rank)
            ):
                matches.setdefault(match.prediction_id, []).append(match)
            told = select(Receipt.prediction_id, Receipt.response).where(Receipt.prediction_id.in_(page))
            responses = {row.prediction_id: row.response for row in session.execute(told)}
            for one in session.scalars(select(Prediction).where(Prediction.id.in_(page))):
                answer = _recalled(one, needs.get(one.id, []), matches.get(one.id, []))
                found[one.id] = answer, responses.get(one.id)
    return found


def _recalled(one: Prediction, needs: list[PredictedNeed], matches: list[ProposedMatch]) -> Recalled:
    identification = Identification(
        prepared=PreparedMessage(one.message_id, one.text, one.source, one.district, (), ()),
        domain=one.domain,
        confidence=one.confidence,
        tier=one.tier,
        urgency=one.urgency,
        review=one.review,
        needs=tuple(
            Need(
                need.domain,
                need.tier,
                need.confidence,
                need.text,
                tuple(Evidence(word, 0.0) for word in need.evidence),
            )
            for need in needs
        ),
        evidence=(),
        model=one.model,
        taxonomy=one.taxonomy,
    )
    proposed = tuple(Match(m.resource_id, m.name, m.score, tuple(m.reasons), tuple(m.ask)) for m in matches)
    matching = None if one.catalogue is None else Matching(proposed, one.catalogue)
    return Recalled(identification, matching, tuple(match.id for match in matches))


def _pages(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _PAGE] for start in range(0, len(keys), _PAGE))
