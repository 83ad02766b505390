"""Outcomes of matches, in the ledger: whether a proposed resource was accepted, and whether it met the need."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select

from evaluation.ledger import Ledger
from evaluation.tables import Outcome, ProposedMatch

ACCEPTED, DECLINED, MET, UNMET = KINDS = ("accepted", "declined", "met", "unmet")


class UnknownMatchError(LookupError):
    """An outcome of a match the ledger does not hold."""


@dataclass(frozen=True, slots=True)
class GivenOutcome:
    """What became of one match, one of `KINDS`, as `actor` told it."""

    match_id: str
    kind: str
    actor: str


def record_outcomes(ledger: Ledger, outcomes: Sequence[GivenOutcome]) -> list[str]:
    """Write outcomes in one transaction, all or none; returns their ids once they are durable.

    Raises UnknownMatchError naming the first match the ledger does not hold, ValueError for an unknown kind.
    """
    if not outcomes:
        return []
    if wrong := [outcome.kind for outcome in outcomes if outcome.kind not in KINDS]:
        raise ValueError(f"outcome {wrong[0]!r} is none of {', '.join(KINDS)}")
    now = datetime.now(UTC)
    wanted = {outcome.match_id for outcome in outcomes}
    with ledger.engine.begin() as connection:
        known = set(
            connection.execute(select(ProposedMatch.id).where(ProposedMatch.id.in_(wanted))).scalars()
        )
        if missing := sorted(wanted - known):
            raise UnknownMatchError(f"the ledger holds no match {missing[0]!r}; give an id it proposed")
        rows = [
            {
                "id": uuid.uuid4().hex,
                "match_id": one.match_id,
                "told_at": now,
                "kind": one.kind,
                "actor": one.actor,
            }
            for one in outcomes
        ]
        connection.execute(insert(Outcome), rows)
    return [str(row["id"]) for row in rows]
