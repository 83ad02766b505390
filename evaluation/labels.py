"""Labels people gave, in the ledger: the feedback that corrects answers and becomes the next training batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from evaluation.ledger import Ledger
from evaluation.once import insert_once
from evaluation.tables import Label, Prediction

ORIGINS = ("feedback", "review", "audit", "import")
_PAGE = 5000


class UnknownPredictionError(LookupError):
    """A label or an outcome for a record the ledger does not hold."""


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """One person's label of one message; `text` is masked, and may be left out where a prediction holds it.

    `origin` is one of `ORIGINS`.
    """

    message_id: str
    domain: str
    annotator: str
    origin: str
    secondary: tuple[str, ...] = ()
    tier: str | None = None
    urgency: str | None = None
    prediction_id: str | None = None
    text: str = ""
    source: str | None = None
    district: str | None = None


def record_labels(
    ledger: Ledger, labels: Sequence[GivenLabel], ids: Sequence[str] | None = None
) -> list[str]:
    """Write labels in one transaction, all or none; returns their ids once they are durable.

    Text, source and district come from the prediction where one is named. With `ids` the caller names the rows
    itself: one that is there already is left as it is, so that a repeated call counts once. Raises
    UnknownPredictionError naming the first prediction the ledger does not hold, ReusedIdError for an id under
    which another label stands.
    """
    if not labels:
        return []
    now = datetime.now(UTC)
    with ledger.engine.begin() as connection:
        wanted = sorted({label.prediction_id for label in labels if label.prediction_id})
        known: dict[str, Any] = {}
        for start in range(0, len(wanted), _PAGE):
            found = connection.execute(
                select(
                    Prediction.id,
                    Prediction.message_id,
                    Prediction.text,
                    Prediction.source,
                    Prediction.district,
                ).where(Prediction.id.in_(wanted[start : start + _PAGE]))
            )
            known |= {row.id: row for row in found}
        if missing := [one for one in wanted if one not in known]:
            raise UnknownPredictionError(
                f"the ledger holds no prediction {missing[0]!r}; give an id it answered"
            )
        rows = [_row(label, known.get(label.prediction_id or ""), now) for label in labels]
        if ids is None:
            connection.execute(insert(Label), rows)
        else:
            for row, given in zip(rows, ids, strict=True):
                row["id"] = given
            insert_once(connection, Label, rows, ignored=("labelled_at",))
    return [row["id"] for row in rows]


def newest_prediction(ledger: Ledger, message_id: str) -> str | None:
    """The id of the newest prediction for a message a platform calls by this id."""
    query = select(Prediction.id).where(Prediction.message_id == message_id)
    with ledger.engine.connect() as connection:
        found: str | None = connection.execute(
            query.order_by(Prediction.answered_at.desc(), Prediction.id).limit(1)
        ).scalar()
    return found


def _row(label: GivenLabel, prediction: Any, now: datetime) -> dict[str, Any]:
    row = asdict(label) | {"id": uuid.uuid4().hex, "labelled_at": now, "secondary": list(label.secondary)}
    if prediction is not None:
        row |= {name: getattr(prediction, name) for name in ("message_id", "text", "source", "district")}
    return row


def newest_labels(
    ledger: Ledger, since: datetime | None = None, origins: Sequence[str] = ORIGINS
) -> Iterator[dict[str, Any]]:
    """The newest label of each labelled message from `since` on, oldest first, as rows of a labelled batch.

    A row's `id` is the prediction's where there is one, else the message's.
    """
    query = select(Label).where(Label.origin.in_(origins)).order_by(Label.labelled_at, Label.id)
    if since is not None:
        query = query.where(Label.labelled_at >= since)
    newest: dict[str, dict[str, Any]] = {}
    with ledger.engine.connect() as connection:
        for row in connection.execution_options(yield_per=_PAGE).execute(query):
            key = row.prediction_id or row.message_id
            newest.pop(key, None)
            newest[key] = {
                "id": key,
                "text": row.text,
                "source": row.source,
                "district": row.district,
                "domain": row.domain,
                "secondary": row.secondary,
                "tier": row.tier,
                "urgency": row.urgency,
                "annotator": row.annotator,
                "origin": row.origin,
                "labelled_at": row.labelled_at,
            }
    yield from newest.values()
