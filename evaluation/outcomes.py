"""Outcomes of matches, in the ledger: whether a proposed resource was accepted, and whether it met the need."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select

from evaluation.ledger import Ledger
from evaluation.once import insert_once
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


def record_outcomes(
    ledger: Ledger, outcomes: Sequence[GivenOutcome], ids: Sequence[str] | None = None
) -> list[str]:
    """Write outcomes in one transaction, all or none; returns their ids once they are durable.

    With `ids` the caller names the rows itself, and a repeated call counts once. Raises UnknownMatchError naming
    the first match the ledger does not hold, ValueError for an unknown kind, ReusedIdError for an id under which
    another outcome stands.
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
        if ids is None:
            connection.execute(insert(Outcome), rows)
        else:
            named = [row | {"id": given} for row, given in zip(rows, ids, strict=True)]
            insert_once(connection, Outcome, named, ignored=("told_at",))
            rows = named
    return [str(row["id"]) for row in rows]
